import { afterEach, expect, test } from "vitest";
import type { Message } from "../records/message.ts";
import type { ChatModel, Completion } from "../registry/chat-model.ts";
import { type ModelServerOptions, startModelServer } from "../testing/model-server.ts";
import type { ModelRequest } from "../testing/model-server-reply.ts";
import { modelFor } from "./__fixtures__/model-for.ts";
import type { ResponseCache } from "./response-cache.ts";

const running: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

const QUESTION: Message[] = [{ role: "user", content: "heads or tails?" }];

interface Extended extends ModelRequest {
  pairwright?: { seeds: number[] };
}

const seedOf = ({ seed, pairwright }: Extended, choice: number) => pairwright?.seeds[choice] ?? seed;

/** A server that draws by the seed of each choice, as the embedded platform does, and a client that merges. */
async function merging(change: Partial<ModelServerOptions> = {}, cache?: ResponseCache) {
  const requests: Extended[] = [];
  const server = await startModelServer({
    reply: (request, { choice_index }) => {
      if (choice_index === 0) requests.push(request);
      return `by ${seedOf(request, choice_index)}`;
    },
    ...change,
  });
  const options = { base_url: server.url, merge_calls: true, max_retries: 1 };
  const model = modelFor(options, cache ? { cache } : {}) as ChatModel & { close(): void };
  running.push(server, model);
  return { model, server, requests };
}

const seeds = [11, 12, 13];
const texts = (completions: Completion[]) => completions.map(({ text }) => text);
const askAll = (model: ChatModel, temperature = 1) =>
  Promise.all(seeds.map((seed) => model.chat(QUESTION, { seed, temperature })));

test("calls of one moment that differ in their seed alone are one request, and each gets its own reply", async () => {
  const { model, requests } = await merging();

  const replies = await askAll(model);

  expect(texts(replies)).toEqual(["by 11", "by 12", "by 13"]);
  expect(requests).toEqual([
    { model: "test-model", messages: QUESTION, temperature: 1, seed: 11, n: 3, pairwright: { seeds } },
  ]);
  for (const { choices, usage } of replies) {
    expect(choices).toHaveLength(1);
    expect(usage.llm_calls).toBe(1);
  }
  const sum = (of: "prompt_tokens" | "completion_tokens") => replies.reduce((all, { usage }) => all + usage[of], 0);
  // A quarter of the characters: the prompt once, and fifteen of replies.
  expect([sum("prompt_tokens"), sum("completion_tokens")]).toEqual([4, 4]);
});

test("other settings, another prompt, another signal or a call without a seed is another request", async () => {
  const { model, requests } = await merging();
  const own = new AbortController();

  await Promise.all([
    askAll(model),
    askAll(model, 0),
    model.chat([{ role: "user", content: "and now?" }], { seed: 11, temperature: 1 }),
    model.chat(QUESTION, { seed: 14, temperature: 1, signal: own.signal }),
    model.chat(QUESTION, { temperature: 1 }),
    model.chat(QUESTION, { temperature: 1, seed: 15, n: 2 }),
  ]);

  expect(requests.map(({ n = 1 }) => n).sort()).toEqual([1, 1, 1, 2, 3, 3]);
});

test("a call made later is another request", async () => {
  const { model, requests } = await merging();
  await model.chat(QUESTION, { seed: 1 });
  await model.chat(QUESTION, { seed: 2 });
  expect(requests.map(({ pairwright }) => pairwright)).toEqual([undefined, undefined]);
});

test("each reply is in the cache under its own call", async () => {
  const stored = new Map<string, string>();
  const cache = { get: (key: string) => stored.get(key), put: (key: string, text: string) => stored.set(key, text) };
  const { model, server } = await merging({}, cache as unknown as ResponseCache);
  await askAll(model);
  expect(stored.size).toBe(3);

  const again = await model.chat(QUESTION, { seed: 12, temperature: 1 });
  expect(again).toMatchObject({ text: "by 12", cached: true });
  expect(server.calls).toBe(1);
});

test("a server that refuses such a request is asked call by call, from then on at once", async () => {
  const { model, server } = await merging({
    faults: (request) => ("pairwright" in request ? { kind: "status", status: 400, message: "unknown field" } : null),
  });
  expect(texts(await askAll(model))).toEqual(["by 11", "by 12", "by 13"]);
  expect(server.calls).toBe(4);
  expect(texts(await askAll(model))).toEqual(["by 11", "by 12", "by 13"]);
  expect(server.calls).toBe(7);
});

test("a request that is refused alone as well says nothing of merging", async () => {
  let refuses = true;
  const { model, server } = await merging({
    faults: () => (refuses ? { kind: "status", status: 400, message: "too long" } : null),
  });
  const ended = await Promise.allSettled(seeds.map((seed) => model.chat(QUESTION, { seed })));
  expect(ended.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  refuses = false;
  const before = server.calls;
  await askAll(model);
  expect(server.calls - before).toBe(1);
});

test("calls beyond the choices that a server gives are made one by one", async () => {
  const { model, server } = await merging({
    reply: (request) => {
      const one = { message: { role: "assistant", content: `one by ${request.seed}` }, finish_reason: "stop" };
      return { choices: [one], model: "m" };
    },
  });
  expect(texts(await askAll(model))).toEqual(["one by 11", "one by 12", "one by 13"]);
  expect(server.calls).toBe(3);
  await askAll(model);
  expect(server.calls).toBe(6);
});

test("a server that does not answer is an error of every call", async () => {
  const { model, server } = await merging({ faults: () => ({ kind: "status", status: 503 }) });
  const ended = await Promise.allSettled(seeds.map((seed) => model.chat(QUESTION, { seed })));
  expect(ended.map((each) => (each as PromiseRejectedResult).reason.code)).toEqual(Array(3).fill("llm_status"));
  expect(server.calls).toBe(2);
});

test("the signal of merged calls ends all of them", async () => {
  const { model } = await merging({ faults: () => ({ kind: "hang" }) });
  const stop = new AbortController();
  const asked = seeds.map((seed) => model.chat(QUESTION, { seed, signal: stop.signal }));
  setTimeout(() => stop.abort(new Error("enough")), 20);
  const ended = await Promise.allSettled(asked);
  expect(ended.map((each) => (each as PromiseRejectedResult).reason.message)).toEqual(Array(3).fill("enough"));
});
