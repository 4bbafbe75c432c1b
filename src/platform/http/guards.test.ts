import { Hono } from "hono";
import { expect, test } from "vitest";
import { answerFaults, detailBody } from "./fault-response.ts";
import { onlyThisMachine, onlyWithToken } from "./guards.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };

function guarded(guard: ReturnType<typeof onlyThisMachine>) {
  const app = new Hono();
  app.onError(answerFaults(detailBody, silent));
  app.use(guard);
  app.all("*", (c) => c.text("in"));
  return async (headers: Record<string, string>, path = "/x") =>
    (await app.request(`http://here${path}`, { headers })).status;
}

test("only names of this machine are answered", async () => {
  const status = guarded(onlyThisMachine());

  const inside = [
    "localhost",
    "localhost:8711",
    "127.0.0.1:1",
    "127.1.2.3",
    "[::1]:8711",
    "LOCALHOST",
    "nim.localhost:80",
  ];
  const outside = [
    "",
    "example.com",
    "localhost.example.com",
    "127.0.0.1.example.com",
    "10.0.0.1",
    "[::2]",
    "localhost:8711@x",
  ];
  for (const host of inside) expect([host, await status({ host })]).toEqual([host, 200]);
  for (const host of outside) expect([host, await status({ host })]).toEqual([host, 403]);
});

test("a page of another site is turned away, and one of this machine is not", async () => {
  const status = guarded(onlyThisMachine());
  const host = "localhost:8711";

  expect(await status({ host, origin: "https://example.com" })).toBe(403);
  expect(await status({ host, origin: "null" })).toBe(403);
  expect(await status({ host, "sec-fetch-site": "cross-site" })).toBe(403);
  expect(await status({ host, origin: "http://localhost:3000" })).toBe(200);
  expect(await status({ host, "sec-fetch-site": "same-origin" })).toBe(200);
});

test("with a token, nothing else lets a request in but what is open", async () => {
  const status = guarded(onlyWithToken("right", ({ pathname }) => pathname === "/open"));

  expect(await status({ authorization: "Bearer right" })).toBe(200);
  expect(await status({ authorization: "bearer  right" })).toBe(200);
  for (const authorization of ["Bearer wrong", "Bearer righ", "Bearer right2", "right", "Basic right", "Bearer "]) {
    expect([authorization, await status({ authorization })]).toEqual([authorization, 401]);
  }
  expect(await status({})).toBe(401);
  expect(await status({}, "/open")).toBe(200);
});
