import { afterEach, expect, test } from "vitest";
import { createHttpClient } from "../lib/http.ts";
import { type ModelServer, type ModelServerOptions, startModelServer } from "./model-server.ts";

const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

async function serve(options: ModelServerOptions) {
  const server = await startModelServer(options);
  const http = createHttpClient({ base_url: server.url, timeout_ms: 2_000 });
  running.push(http, server);
  const post = (body: unknown) =>
    http.request({ method: "POST", path: "/chat/completions", body: JSON.stringify(body) });
  const get = async (path: string) => JSON.parse((await http.request({ method: "GET", path })).text) as unknown;
  return { server, post, get };
}

const chat = (more: Record<string, unknown> = {}) => ({
  model: "m",
  messages: [{ role: "user", content: "12345678" }],
  ...more,
});

test("answers as the protocol has it, with n choices and a usage", async () => {
  const { post } = await serve({ reply: ({ seed }, { choice_index }) => `${seed}-${choice_index}` });

  const { status, text } = await post(chat({ seed: 5, n: 2 }));

  expect(status).toBe(200);
  expect(JSON.parse(text)).toEqual({
    id: "chatcmpl-0",
    object: "chat.completion",
    created: 0,
    model: "m",
    choices: [
      { index: 0, message: { role: "assistant", content: "5-0" }, finish_reason: "stop" },
      { index: 1, message: { role: "assistant", content: "5-1" }, finish_reason: "stop" },
    ],
    usage: { prompt_tokens: 2, completion_tokens: 2, total_tokens: 4 },
  });
});

test("a reply may take its time, one that fails is told, and one that nobody waits for any more is not sent", async () => {
  const { post } = await serve({
    reply: async ({ seed }) => {
      await new Promise(setImmediate);
      if (seed === 2) throw new Error("the model broke");
      return `${seed}`;
    },
  });

  const { status, text } = await post(chat({ seed: 1, n: 2 }));
  expect(status).toBe(200);
  expect(JSON.parse(text).choices.map(({ message }: { message: { content: string } }) => message.content)).toEqual([
    "1",
    "1",
  ]);
  expect(JSON.parse((await post(chat({ seed: 2 }))).text)).toMatchObject({ error: { message: "the model broke" } });

  let finish: () => void = () => undefined;
  const slow = await serve({ reply: () => new Promise((resolve) => (finish = () => resolve("late"))) });
  const waiting = slow.post(chat());
  while (slow.server.calls === 0) await new Promise(setImmediate);
  await slow.server.close();
  await expect(waiting).rejects.toMatchObject({ code: expect.stringMatching(/^http_/) });
  finish();
  await new Promise(setImmediate);
});

test("the same seed gives the same bytes but for the id", async () => {
  const { post } = await serve({ reply: ({ seed = 0 }) => `draw ${seed % 7}` });
  const answer = async () => (await post(chat({ seed: 12 }))).text.replace(/chatcmpl-\d+/, "");

  expect(await answer()).toBe(await answer());
});

test("lists its models and tells its counters", async () => {
  const { server, post, get } = await serve({ reply: () => "a", models: ["one", "two"], latency_ms: 5 });
  await Promise.all([post(chat()), post(chat()), post(chat())]);

  expect(await get("/models")).toEqual({
    object: "list",
    data: [
      { id: "one", object: "model" },
      { id: "two", object: "model" },
    ],
  });
  expect(await get("/stats")).toEqual({ calls: 3, peak: 3, in_flight: 0, connections: 3 });
  expect([server.calls, server.peak, server.connections]).toEqual([3, 3, 3]);
});

test("a wrong key, a body that is no request, an unknown path and a reply that throws have their statuses", async () => {
  const keyed = await serve({ reply: () => "a", api_key: "k" });
  const open = await serve({
    reply: () => {
      throw new Error("the reply broke");
    },
  });

  expect((await keyed.post(chat())).status).toBe(401);
  expect((await open.post({ model: "m" })).status).toBe(400);
  expect(await open.get("/nowhere")).toMatchObject({ error: { code: 404 } });
  expect(JSON.parse((await open.post(chat())).text)).toMatchObject({
    error: { code: 500, message: "the reply broke" },
  });
});

test("faults come in the order of the calls, null is none", async () => {
  const { post } = await serve({
    reply: () => "abcdef",
    faults: [
      // First, on a new connection: on a kept one a client may take it for stale, and send again.
      { kind: "close" },
      { kind: "status", status: 429, retry_after: 3, message: "slow down" },
      null,
      { kind: "broken_json" },
      { kind: "empty_choices" },
      { kind: "refusal", text: "No." },
      { kind: "truncated" },
      { kind: "slow_body", delay_ms: 1 },
    ],
  });

  await expect(post(chat())).rejects.toMatchObject({ code: "http_closed" });
  const busy = await post(chat());
  expect([busy.status, busy.headers["retry-after"]]).toEqual([429, "3"]);
  expect(JSON.parse((await post(chat())).text)).toMatchObject({ choices: [{ message: { content: "abcdef" } }] });
  const { text } = await post(chat());
  expect(() => JSON.parse(text)).toThrow(SyntaxError);
  expect(JSON.parse((await post(chat())).text)).toMatchObject({ choices: [] });
  expect(JSON.parse((await post(chat())).text)).toMatchObject({
    choices: [{ message: { content: null, refusal: "No." } }],
  });
  expect(JSON.parse((await post(chat())).text)).toMatchObject({
    choices: [{ message: { content: "abc" }, finish_reason: "length" }],
  });
  expect(JSON.parse((await post(chat())).text)).toMatchObject({ choices: [{ message: { content: "abcdef" } }] });
  expect((await post(chat())).status).toBe(200);
});

test("closing ends requests that hang, and frees the port", async () => {
  const { server, post } = await serve({ reply: () => "a", faults: () => ({ kind: "hang" }) });
  const hanging = post(chat());
  // Wait until it has arrived.
  while (server.calls === 0) await new Promise(setImmediate);

  await server.close();

  await expect(hanging).rejects.toMatchObject({ code: expect.stringMatching(/^http_/) });
  const port = Number(new URL(server.url).port);
  const again: ModelServer = await startModelServer({ reply: () => "b", port });
  running.push(again);
  expect(again.url).toBe(server.url);
  await expect(startModelServer({ reply: () => "c", port })).rejects.toMatchObject({ code: "port_taken" });
});
