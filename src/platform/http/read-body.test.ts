import { connect } from "node:net";
import { Hono } from "hono";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answerFaults, detailBody } from "./fault-response.ts";
import { readBody } from "./read-body.ts";
import { type Listening, serve } from "./serve.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };
let listening: Listening;

beforeAll(async () => {
  const app = new Hono();
  app.onError(answerFaults(detailBody, silent));
  app.post("/", async (c) => c.json({ bytes: (await readBody(c, { max_bytes: 1000, max_ms: 200 })).length }));
  listening = await serve(app, { hostname: "127.0.0.1", port: 0 });
});
afterAll(() => listening.close(0));

/** Sends a head, then these pieces, one every 20 ms, and gives the answer. */
function sendSlowly(length: number, pieces: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const waiting = [...pieces];
    const socket = connect(Number(new URL(listening.origin).port), "127.0.0.1", () => {
      socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`);
    });
    const timer = setInterval(() => {
      const piece = waiting.shift();
      if (piece !== undefined && !socket.destroyed) socket.write(piece);
    }, 20);
    socket.on("data", (bytes) => {
      answer += bytes.toString();
    });
    socket.on("error", reject);
    socket.on("close", () => {
      clearInterval(timer);
      resolve(answer);
    });
  });
}

test("a body in pieces is read whole", async () => {
  expect(await sendSlowly(6, ["ab", "cd", "ef"])).toContain('{"bytes":6}');
});

test("a body that comes too slowly is given up, however steadily it trickles", async () => {
  const began = performance.now();
  expect(
    await sendSlowly(
      900,
      Array.from({ length: 900 }, () => "x"),
    ),
  ).toContain("408 Request Timeout");
  expect(performance.now() - began).toBeLessThan(5000);
});

test("a body that is larger than it may be is refused by its announcement", async () => {
  expect(await sendSlowly(1001, [])).toContain("413 Payload Too Large");
});
