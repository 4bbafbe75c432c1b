import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { countCalls, routeOf, summary } from "./call-counter.ts";

test("what a client sends and gets goes through as it is, and is counted", async () => {
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    outgoing.setHeader("content-length", body.length).setHeader("etag", '"x"');
    outgoing.writeHead(incoming.url === "/v1/models/ns/none" ? 404 : 200).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const counter = await countCalls(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    const sent = Buffer.alloc(3 * 2 ** 20, 7);
    const answer = await fetch(`${counter.url}/v1/models?page=2`, { method: "POST", body: sent });
    expect(answer.headers.get("etag")).toBe('"x"');
    expect(Buffer.from(await answer.arrayBuffer()).equals(sent)).toBe(true);
    expect((await fetch(`${counter.url}/v1/models/ns/none`, { method: "HEAD" })).status).toBe(404);
    await fetch(`${counter.url}/v1/models?page=3`, { method: "POST", body: "x" });
    expect(counter.calls.map(({ path }) => path)).toEqual([
      "/v1/models?page=2",
      "/v1/models/ns/none",
      "/v1/models?page=3",
    ]);
    expect(summary(counter.calls)).toEqual(["2 x POST /v1/models 200", "1 x HEAD /v1/models/* 404"]);
  } finally {
    await counter.close();
    server.closeAllConnections();
    server.close();
  }
});

test("who goes away in front of it is gone behind it", async () => {
  let gone: () => void = () => undefined;
  const left = new Promise<void>((resolve) => {
    gone = resolve;
  });
  const server = createServer((_, outgoing) => {
    outgoing.writeHead(200).write("begun");
    outgoing.on("close", gone);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const counter = await countCalls(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const abort = new AbortController();
  const answer = await fetch(counter.url, { signal: abort.signal });
  await answer.body?.getReader().read();
  abort.abort();
  await left;
  await counter.close();
  server.close();
});

test("names, ids and files are no part of what is counted", () => {
  const routes = {
    "/v1/namespaces/mine": "/v1/namespaces/*",
    "/v1/models/ns/name@cust-1": "/v1/models/*",
    "/v1/customization/jobs?page=1": "/v1/customization/jobs",
    "/v1/customization/jobs/cust-1": "/v1/customization/jobs/*",
    "/v1/customization/jobs/cust-1/status": "/v1/customization/jobs/*/status",
    "/v1/customization/configs/ns/a@v1+cpu": "/v1/customization/configs/*",
    "/v1/deployment/model-deployments/ns/name": "/v1/deployment/model-deployments/*",
    "/v1/hf/api/repos/create": "/v1/hf/api/repos/create",
    "/v1/hf/api/datasets/ns/name": "/v1/hf/api/datasets/*",
    "/v1/hf/api/datasets/ns/name/preupload/main": "/v1/hf/api/datasets/*/preupload/*",
    "/v1/hf/datasets/ns/name/resolve/main/a/b.jsonl": "/v1/hf/datasets/*/resolve/*",
    "/v1/hf/ns/name/resolve/main/a": "/v1/hf/*/resolve/*",
    "/v1/hf/datasets/ns/name.git/info/lfs/objects/batch": "*.git/info/lfs/batch",
    "/nim/v1/chat/completions": "/nim/v1/chat/completions",
  };
  expect(Object.fromEntries(Object.keys(routes).map((path) => [path, routeOf(path)]))).toEqual(routes);
});
