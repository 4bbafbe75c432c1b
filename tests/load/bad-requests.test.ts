import { mkdtemp, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { forEachBounded } from "../../src/lib/concurrency.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { startTestPlatform, type TestPlatform } from "../../src/platform/__fixtures__/test-platform.ts";
import { type BadRequest, badRequest, ROUTES } from "./bad-requests.ts";
import { size } from "./long.ts";

const LIMIT_MS = 40_000;

/** The status of the answer; 0 where the connection was closed without one, which a request with a false length may cause. */
function send(origin: string, { method, path, body, headers, length_off, slow }: BadRequest): Promise<number> {
  const { hostname, port } = new URL(origin);
  const bytes = Buffer.from(body, "utf8");
  const lines = Object.entries({
    host: "localhost",
    connection: "close",
    ...(headers["transfer-encoding"] === undefined && {
      "content-length": String(Math.max(0, bytes.length + length_off)),
    }),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(Number(port), hostname, () => {
      socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
      const half = slow ? bytes.length >> 1 : bytes.length;
      socket.write(bytes.subarray(0, half));
      if (slow) setTimeout(() => socket.destroyed || socket.write(bytes.subarray(half)), 50);
      // A client that owes the rest of its body goes away some time.
      if (length_off > 0 || headers["transfer-encoding"] !== undefined) setTimeout(() => socket.end(), 300);
    });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer within ${LIMIT_MS} ms: ${method} ${path} ${body.slice(0, 200)}`));
    }, LIMIT_MS);
    socket.on("data", (data) => {
      answer += data.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0));
    });
  });
}

/** What the requests are about: those that are only half wrong get far. */
async function makeThings({ call }: { call: TestPlatform["call"] }): Promise<void> {
  const made = [
    await call("POST", "/v1/hf/api/repos/create", { name: "r", organization: "default", type: "dataset" }),
    await call("POST", "/v1/datasets", { name: "d", namespace: "default", files_url: "hf://datasets/default/r" }),
    await call("POST", "/v1/projects", { name: "p" }),
    await call("POST", "/v1/deployment/configs", { name: "none", model: "local/tic-tac-toe" }),
  ];
  const file = {
    path: "training/a.jsonl",
    encoding: "base64",
    content: Buffer.from('{"prompt":1}\n').toString("base64"),
  };
  const lines = [
    { key: "header", value: { summary: "s" } },
    { key: "file", value: file },
    { key: "file", value: { ...file, path: "a.jsonl" } },
  ];
  made.push(
    await call(
      "POST",
      "/v1/hf/api/datasets/default/r/commit/main",
      lines.map((line) => JSON.stringify(line)).join("\n"),
    ),
  );
  expect(made.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
}

test("requests that are wrong in every way get an answer that is no fault of ours, and leave no file outside the data folder", async () => {
  const count = size(400, 2000);
  const outside = await mkdtemp(join(tmpdir(), "pairwright-bad-"));
  const warnings: string[] = [];
  const log = { debug: () => undefined, info: () => undefined, warn: (line: string) => void warnings.push(line) };
  const platform = await startTestPlatform({
    dir: join(outside, "data"),
    log,
    models: ["examples/tic-tac-toe/base-model"],
  });
  try {
    await makeThings(platform);
    const random = seededRandom(20261125);
    const requests = Array.from({ length: count }, () => badRequest(random));
    const statuses = new Map<number, number>();
    const faults: string[] = [];
    await forEachBounded(requests, 16, async (request) => {
      const status = await send(platform.origin, request);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status >= 500 && status !== 501 && status !== 505) {
        faults.push(`${status}: ${request.method} ${request.path.slice(0, 200)} ${request.body.slice(0, 300)}`);
      }
    });

    expect({ faults, warnings }).toEqual({ faults: [], warnings: [] });
    expect([...statuses.values()].reduce((sum, n) => sum + n, 0)).toBe(count);
    // It did look: answers of many kinds, and routes that exist.
    expect([...statuses.keys()].filter((status) => status >= 400).length).toBeGreaterThan(4);
    expect(ROUTES).toBeGreaterThan(30);
    expect(await readdir(outside)).toEqual(["data"]);
    expect((await platform.call("GET", "/v1/namespaces")).status).toBe(200);
  } finally {
    await platform.stop();
    await rm(outside, { recursive: true, force: true });
  }
}, 600_000);
