import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestPlatform } from "../src/platform/__fixtures__/test-platform.ts";

const run = promisify(execFile);
const CLI = "dist/cli/main.js";
let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-server-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Sends bytes as they are, and gives all that comes back until the server closes or `ms` have passed. */
function raw(origin: string, text: string, ms = 3000): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let answer = "";
    const timer = setTimeout(() => socket.destroy(), ms);
    socket.on("data", (bytes) => {
      answer += bytes.toString();
    });
    socket.on("error", reject);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}

const post = (length: number | string, body: string, path = "/v1/namespaces") =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`;

test("what is no JSON, not in UTF-8, or too large is told, and nothing is made of it", async () => {
  const platform = await startTestPlatform();
  try {
    expect(await raw(platform.origin, post(3, "{a}"))).toContain("422 Unprocessable");
    expect(await raw(platform.origin, post(0, ""))).toContain("json_invalid");
    expect(await raw(platform.origin, post(99_999_999, "{}"))).toContain("413 ");
    const chunked =
      "POST /v1/namespaces HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
      `${(11 * 2 ** 20).toString(16)}\r\n"${"x".repeat(11 * 2 ** 20 - 1)}\r\n0\r\n\r\n`;
    expect(await raw(platform.origin, chunked)).toContain("413 ");
    const bytes = await fetch(`${platform.origin}/v1/namespaces`, {
      method: "POST",
      body: new Uint8Array([34, 255, 34]),
    });
    expect(bytes.status).toBe(422);
    // That of everybody, and that of the base models.
    expect((await platform.call("GET", "/v1/namespaces")).body.pagination.total_results).toBe(2);
  } finally {
    await platform.stop();
  }
});

test("a client that announces more than it sends is let go, and the server lives on", async () => {
  const platform = await startTestPlatform();
  try {
    const { hostname, port } = new URL(platform.origin);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(post(500, '{"id":"half'));
        setTimeout(() => socket.destroy(), 50);
      });
      socket.on("close", () => resolve());
    });
    expect(await raw(platform.origin, post("-5", "{}"))).toContain("400 Bad Request");
    expect(await raw(platform.origin, "NONSENSE\r\n\r\n")).toContain("400 Bad Request");
    const { body } = await platform.call("GET", "/v1/namespaces");
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual(["default", "local"]);
  } finally {
    await platform.stop();
  }
});

test("another address than the loopback one needs a token, and the token is asked for", async () => {
  await expect(startTestPlatform({ host: "0.0.0.0" })).rejects.toMatchObject({ code: "token_needed", exit_code: 2 });

  const platform = await startTestPlatform({ host: "0.0.0.0", token: "a-token-for-tests" });
  try {
    const open = await platform.call("GET", "/v1/namespaces");
    expect(open).toMatchObject({ status: 401, body: { detail: expect.stringContaining("token is needed") } });
    expect(open.headers.get("www-authenticate")).toBe("Bearer");
    const known = await platform.call("GET", "/v1/namespaces", undefined, {
      authorization: "Bearer a-token-for-tests",
    });
    expect(known.status).toBe(200);
    expect((await platform.call("GET", "/health")).status).toBe(200);
  } finally {
    await platform.stop();
  }
});

test("a port that is taken is named", async () => {
  const platform = await startTestPlatform();
  try {
    const { port } = new URL(platform.origin);
    await expect(startTestPlatform({ port: Number(port) })).rejects.toMatchObject({ code: "port_taken", exit_code: 2 });
  } finally {
    await platform.stop();
  }
});

test("the command says where it listens, refuses a second one on its folder by pid, and stops when told", async () => {
  const data = join(dir, "command");
  const child = spawn(process.execPath, [CLI, "platform", "start", "--port", "0", "--data", data, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (bytes) => resolve(String(bytes)));
    child.once("exit", () => reject(new Error("it ended")));
  });
  const facts = JSON.parse(line);
  expect(facts).toEqual({
    entity_host: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    datastore_host: facts.entity_host,
    nim_url: `${facts.entity_host}/nim/v1`,
  });
  expect(JSON.parse(await readFile(join(data, "platform.json"), "utf8"))).toEqual({
    pid: child.pid,
    origin: facts.entity_host,
  });
  expect(await (await fetch(`${facts.entity_host}/health`)).json()).toEqual({ status: "ok" });

  const second = await run(process.execPath, [CLI, "platform", "start", "--port", "0", "--data", data]).catch(
    (error) => error,
  );
  expect(second.code).toBe(2);
  expect(second.stderr).toContain(
    `error[platform_running]: ${data}: a platform uses this folder already (process ${child.pid})`,
  );

  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(existsSync(join(data, "platform.json"))).toBe(false);
});

test("the metrics count requests by route, not by path", async () => {
  const platform = await startTestPlatform();
  try {
    await platform.call("GET", "/v1/namespaces/one");
    await platform.call("GET", "/v1/namespaces/two");
    const text = await (await fetch(`${platform.origin}/metrics`)).text();
    expect(text).toContain('pairwright_http_requests_total{method="GET",route="/v1/namespaces/:id",status="404"} 2');
    expect(text).toContain("pairwright_http_request_seconds_bucket");
    expect(text).toContain("process_resident_memory_bytes");
  } finally {
    await platform.stop();
  }
});
