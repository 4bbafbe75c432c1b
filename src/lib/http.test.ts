import { spawn } from "node:child_process";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { collectGarbage } from "./__fixtures__/collect-garbage.ts";
import { createHttpClient, type HttpClient, type HttpClientOptions } from "./http.ts";
import { HttpError } from "./http-error.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function listening(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function client(options: Partial<HttpClientOptions> & { base_url: string }): HttpClient {
  const made = createHttpClient({ timeout_ms: 5_000, ...options });
  cleanups.push(made.close);
  return made;
}

/** A server that answers with what it was sent, and counts its connections. */
async function echoServer(listener?: RequestListener) {
  let connections = 0;
  const server = createHttpServer(
    listener ??
      ((request, response) => {
        let body = "";
        request.on("data", (chunk) => {
          body += chunk;
        });
        request.on("end", () => {
          const { method, url, headers } = request;
          response.end(JSON.stringify({ method, url, headers, body }));
        });
      }),
  );
  server.on("connection", () => {
    connections += 1;
  });
  return { base_url: await listening(server), connections: () => connections };
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable("it should have failed"),
    (error: unknown) => {
      expect(error).toBeInstanceOf(HttpError);
      return (error as HttpError).failure;
    },
  );

test("sends method, path, headers and body, with the length in bytes", async () => {
  const { base_url } = await echoServer();
  const http = client({ base_url: `${base_url}/v1/?api-version=2`, headers: { "X-Own": "a", Accept: "b" } });

  const response = await http.request({ method: "POST", path: "/things", body: '"grün"', headers: { accept: "c" } });

  expect(response.status).toBe(200);
  expect(JSON.parse(response.text)).toEqual({
    method: "POST",
    url: "/v1/things?api-version=2",
    headers: expect.objectContaining({
      "x-own": "a",
      accept: "c",
      "content-type": "application/json",
      "content-length": "7",
      host: base_url.slice("http://".length),
    }),
    body: '"grün"',
  });
});

test("a request's own content type replaces JSON's", async () => {
  const { base_url } = await echoServer();

  const response = await client({ base_url }).request({
    method: "POST",
    path: "/",
    body: "a",
    headers: { "Content-Type": "text/plain" },
  });

  expect(JSON.parse(response.text).headers["content-type"]).toBe("text/plain");
});

test("a streamed body arrives whole with its length, and its own fault is the caller's", async () => {
  const { base_url } = await echoServer();
  const http = client({ base_url });
  async function* pieces(fault?: Error) {
    yield Buffer.from("gr");
    if (fault) throw fault;
    yield Buffer.from("ün");
  }

  const response = await http.request({ method: "POST", path: "/", body: { bytes: 5, chunks: () => pieces() } });
  const failing = { bytes: 5, chunks: () => pieces(new Error("the file is gone")) };
  const fault = http.request({ method: "POST", path: "/", body: failing });

  expect(JSON.parse(response.text)).toMatchObject({ body: "grün", headers: { "content-length": "5" } });
  await expect(fault).rejects.toThrow("the file is gone");
});

test("a user and password in the address are sent as Basic authorization and shown nowhere", async () => {
  const { base_url } = await echoServer();
  const http = client({ base_url: base_url.replace("//", "//me:s%20ecret@") });

  const response = await http.request({ method: "GET", path: "/" });

  expect(JSON.parse(response.text).headers.authorization).toBe(`Basic ${btoa("me:s ecret")}`);
  expect(http.endpoint).toBe(base_url);
});

test("sockets are kept: a hundred requests, four at a time, take four connections", async () => {
  const { base_url, connections } = await echoServer();
  const http = client({ base_url });
  const worker = async () => {
    for (let sent = 0; sent < 25; sent += 1) await http.request({ method: "POST", path: "/", body: "{}" });
  };

  await Promise.all([worker(), worker(), worker(), worker()]);

  expect(connections()).toBe(4);
});

test("a request that is over leaves no timer and no memory behind, though its client and its signal live on", async () => {
  const text = "x".repeat(1 << 20);
  const { base_url } = await echoServer((_request, response) => response.end(text));
  const http = client({ base_url });
  const { signal } = new AbortController();
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  collectGarbage();
  const before = { bytes: process.memoryUsage().arrayBuffers, timers: timers() };

  for (let sent = 0; sent < 60; sent += 1) await http.request({ method: "GET", path: "/", signal });

  expect(timers()).toBeLessThan(before.timers + 30);
  collectGarbage();
  // Sixty answers of 1 MiB went through.
  expect(process.memoryUsage().arrayBuffers - before.bytes).toBeLessThan(30 << 20);
});

test("max_sockets bounds the connections", async () => {
  const { base_url, connections } = await echoServer();
  const http = client({ base_url, max_sockets: 2 });

  await Promise.all(Array.from({ length: 20 }, () => http.request({ method: "GET", path: "/" })));

  expect(connections()).toBe(2);
});

/** Answers the first request of each connection; at the second it resets the connection without a byte. */
async function resettingServer(answersFirst: (connection: number) => boolean) {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    const mine = connections;
    let requests = 0;
    socket.on("error", () => undefined);
    socket.on("data", () => {
      requests += 1;
      if (requests > 1 || !answersFirst(mine)) socket.resetAndDestroy();
      else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  });
  return { base_url: await listening(server), connections: () => connections };
}

test("a kept socket that the server has dropped is replaced by a fresh one, unseen", async () => {
  const { base_url, connections } = await resettingServer(() => true);
  const http = client({ base_url });
  await http.request({ method: "POST", path: "/", body: "{}" });

  const second = await http.request({ method: "POST", path: "/", body: "{}" });

  expect(second.text).toBe("ok");
  expect(connections()).toBe(2);
});

test("a stale socket is replaced once: a reset of the fresh one is an error", async () => {
  const { base_url, connections } = await resettingServer((connection) => connection === 1);
  const http = client({ base_url });
  await http.request({ method: "POST", path: "/", body: "{}" });

  const failure = await failureOf(http.request({ method: "POST", path: "/", body: "{}" }));

  expect(failure).toEqual({ kind: "closed", reason: "ECONNRESET" });
  expect(connections()).toBe(2);
});

test("what is to be sent once never goes out on a kept socket", async () => {
  const { base_url, connections } = await resettingServer(() => true);
  const http = client({ base_url });
  await http.request({ method: "POST", path: "/", body: "{}" });

  const second = await http.request({ method: "POST", path: "/", body: "{}", once: true });

  expect(second.text).toBe("ok");
  expect(connections()).toBe(2);
});

test("a reset on a new socket is not tried again here", async () => {
  const { base_url, connections } = await resettingServer(() => false);

  const failure = await failureOf(client({ base_url }).request({ method: "POST", path: "/", body: "{}" }));

  expect(failure).toEqual({ kind: "closed", reason: "ECONNRESET" });
  expect(connections()).toBe(1);
});

test("where nothing listens, the server is unreachable", async () => {
  const { base_url } = await echoServer();
  for (const cleanup of cleanups.splice(0)) cleanup();

  const failure = await failureOf(client({ base_url }).request({ method: "GET", path: "/" }));

  expect(failure).toEqual({ kind: "unreachable", reason: "ECONNREFUSED" });
});

test("a server that never answers is a timeout", async () => {
  const { base_url } = await echoServer(() => undefined);

  const failure = await failureOf(client({ base_url, timeout_ms: 60 }).request({ method: "GET", path: "/" }));

  expect(failure).toEqual({ kind: "timeout", phase: "reply", after_ms: 60 });
});

test("a server that stops in the middle of the body is a timeout", async () => {
  const { base_url } = await echoServer((_request, response) => {
    response.writeHead(200, { "Content-Length": "100" });
    response.write("half");
  });

  const failure = await failureOf(client({ base_url }).request({ method: "GET", path: "/", timeout_ms: 60 }));

  expect(failure).toEqual({ kind: "timeout", phase: "reply", after_ms: 60 });
});

test("a connection that is cut in the middle of the body is closed, not a short answer", async () => {
  const { base_url } = await echoServer((_request, response) => {
    response.writeHead(200, { "Content-Length": "100" });
    response.write("half", () => response.destroy());
  });

  expect(await failureOf(client({ base_url }).request({ method: "GET", path: "/" }))).toMatchObject({ kind: "closed" });
});

test("an answer that is not HTTP is malformed", async () => {
  const base_url = await listening(createServer((socket) => socket.end("SSH-2.0-OpenSSH\r\n\r\n")));

  const failure = await failureOf(client({ base_url }).request({ method: "GET", path: "/" }));

  expect(failure).toMatchObject({ kind: "malformed", reason: expect.stringMatching(/^HPE_/) });
});

test("https to a server without TLS is named as such", async () => {
  const { base_url } = await echoServer();

  const failure = await failureOf(
    client({ base_url: base_url.replace("http:", "https:") }).request({ method: "GET", path: "/" }),
  );

  expect(failure).toMatchObject({ kind: "tls" });
});

test("an answer over the bound is refused", async () => {
  const { base_url } = await echoServer((_request, response) => response.end("x".repeat(5_000)));

  const failure = await failureOf(
    client({ base_url, max_response_bytes: 4_999 }).request({ method: "GET", path: "/" }),
  );

  expect(failure).toEqual({ kind: "too_large", limit_bytes: 4_999 });
});

test("an abort rejects with the signal's own reason, before, during the wait and in the middle of the body", async () => {
  const { base_url } = await echoServer((request, response) => {
    if (request.url === "/body") response.write("half", () => controllers[2]?.abort("third"));
    else controllers[1]?.abort("second");
  });
  const controllers = [new AbortController(), new AbortController(), new AbortController()];
  const http = client({ base_url });
  controllers[0]?.abort("first");

  const ask = (index: number, path: string) =>
    http.request({ method: "GET", path, signal: controllers[index]!.signal }).catch((reason: unknown) => reason);

  expect(await ask(0, "/")).toBe("first");
  expect(await ask(1, "/")).toBe("second");
  expect(await ask(2, "/body")).toBe("third");
});

test("one abort ends all requests of its signal and no other", async () => {
  let arrived = 0;
  const controller = new AbortController();
  const { base_url } = await echoServer((request, response) => {
    arrived += 1;
    if (arrived === 3) {
      controller.abort("over");
      setTimeout(() => response.end("late"), 20);
    } else if (request.url === "/other") setTimeout(() => response.end("kept"), 50);
  });
  const http = client({ base_url });
  const other = http.request({ method: "GET", path: "/other", signal: new AbortController().signal });
  const { signal } = controller;

  const ended = await Promise.allSettled([1, 2].map(() => http.request({ method: "GET", path: "/", signal })));

  expect(ended).toEqual([
    { status: "rejected", reason: "over" },
    { status: "rejected", reason: "over" },
  ]);
  expect((await other).text).toBe("kept");
});

test("closing ends what is under way and refuses what comes after", async () => {
  const { base_url } = await echoServer(() => http.close());
  const http = client({ base_url, max_sockets: 1 });

  const failures = await Promise.all([1, 2].map(() => failureOf(http.request({ method: "GET", path: "/" }))));

  expect(failures.map((failure) => failure.kind)).toEqual(["closed", "closed"]);
  expect(await failureOf(http.request({ method: "GET", path: "/" }))).toMatchObject({ kind: "closed" });
});

test.each(["localhost:8000", "ftp://host/", "http://"])(
  "%s is no address, and is not repeated in the error",
  (base_url) => {
    expect(() => createHttpClient({ base_url, timeout_ms: 1 })).toThrow(expect.objectContaining({ code: "bad_url" }));
  },
);

test("a header with a line break is refused at once, without its value", () => {
  const make = () =>
    createHttpClient({ base_url: "http://host", timeout_ms: 1, headers: { Authorization: "Bearer MARKED\nkey" } });

  expect(make).toThrow(expect.objectContaining({ code: "bad_header", message: expect.not.stringContaining("MARKED") }));
});

test("a path that cannot be sent rejects instead of throwing somewhere else", async () => {
  const http = client({ base_url: "http://127.0.0.1:9" });

  await expect(http.request({ method: "GET", path: "/a b" })).rejects.toMatchObject({
    code: "ERR_UNESCAPED_CHARACTERS",
  });
});

// A stopped process whose queue of connections is full: the kernel drops the next ones, as a firewall does.
test.skipIf(process.platform !== "linux")(
  "a connection that does not come about in time is a timeout of its own",
  async () => {
    const program = `const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(server.address().port));`;
    const child = spawn(process.execPath, ["-e", program]);
    cleanups.push(() => child.kill("SIGKILL"));
    const port = await new Promise<number>((resolve) => child.stdout.once("data", (data) => resolve(Number(data))));
    child.kill("SIGSTOP");
    const fillers = Array.from({ length: 4 }, () => connect(port, "127.0.0.1").on("error", () => undefined));
    cleanups.push(() => {
      for (const filler of fillers) filler.destroy();
    });
    // The first two fill the queue; the others must be under way before ours.
    await new Promise<void>((resolve) => fillers[1]!.once("connect", resolve));
    const http = client({ base_url: `http://127.0.0.1:${port}`, connect_timeout_ms: 80 });

    const failure = await failureOf(http.request({ method: "GET", path: "/" }));

    expect(failure).toEqual({ kind: "timeout", phase: "connect", after_ms: 80 });
  },
);
