import { Hono } from "hono";
import { expect, test } from "vitest";
import { serve as listen } from "./http/serve.ts";
import { leases } from "./leases.ts";

test("a platform is unused when the last of its users has gone, and not before the first has come", async () => {
  const held = leases({ grace_ms: 30, first_ms: 60_000 });
  const app = new Hono();
  app.route("/lease", held.routes);
  const { origin, close } = await listen(app, { hostname: "127.0.0.1", port: 0 });
  let unused = false;
  void held.unused.then(() => {
    unused = true;
  });
  const hold = async () => {
    const user = new AbortController();
    const answer = await fetch(`${origin}/lease`, { signal: user.signal });
    await answer.body?.getReader().read();
    return user;
  };

  const first = await hold();
  const second = await hold();
  first.abort();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(unused).toBe(false);
  second.abort();
  await held.unused;

  const third = await hold();
  held.end();
  expect((await fetch(`${origin}/lease`)).status).toBe(503);
  await close(1000);
  third.abort();
});

test("a platform that nobody comes to use is unused, too", async () => {
  await leases({ grace_ms: 60_000, first_ms: 10 }).unused;
});

test("leases that nobody takes keep no process alive", () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  leases({ grace_ms: 60_000, first_ms: 60_000 });
  expect(timers()).toBe(before);
});
