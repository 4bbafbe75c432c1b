import OpenAI, { BadRequestError, NotFoundError, RateLimitError } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestPlatform } from "../src/platform/__fixtures__/test-platform.ts";
import { startServingPlatform } from "./support/served-models.ts";

let platform: Awaited<ReturnType<typeof startServingPlatform>>;
let client: OpenAI;

beforeAll(async () => {
  platform = await startServingPlatform({ inference: { max_pending: 160 } });
  await platform.addAdapter("me/tuned", 1);
  await platform.addAdapter("me/tuned", 2);
  client = clientOf(platform.origin);
}, 60_000);
afterAll(() => platform.stop());

function clientOf(origin: string, apiKey = "none"): OpenAI {
  return new OpenAI({ baseURL: `${origin}/nim/v1`, apiKey, maxRetries: 0 });
}

const board = "  1 2 3\n1 _ _ _\n2 _ X _\n3 _ _ _\n";
const messages = [
  { role: "system" as const, content: "You play O in tic-tac-toe. Reply with one move as XML." },
  { role: "user" as const, content: board },
];
const chat = { model: "local/one", messages, max_tokens: 12 };

/** Runs for a while unless it is stopped: the end token does not end it. */
const long = { ...chat, max_tokens: 400, ignore_eos: true };

async function texts(request: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming>) {
  const { choices } = await client.chat.completions.create({ ...chat, ...request });
  return choices.map(({ message }) => message.content);
}

/** A figure of `/metrics`, summed over its labels. */
async function figure(name: string): Promise<number> {
  const lines = (await (await fetch(`${platform.origin}/metrics`)).text()).split("\n");
  const values = lines.filter((line) => line.startsWith(`${name}{`)).map((line) => Number(line.split(" ").at(-1)));
  return values.reduce((sum, value) => sum + value, 0);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it does not come to that");
}

test("with a seed for each choice, choices are the replies of requests of their own", async () => {
  const seeds = [3, 8, 3, 21];
  const alone = await Promise.all(seeds.map(async (seed) => (await texts({ seed, temperature: 1.5 }))[0]));
  const together = await texts({ n: 4, temperature: 1.5, pairwright: { seeds } } as object);
  expect(together).toEqual(alone);
  expect(new Set(together).size).toBeGreaterThan(1);
  await expect(texts({ n: 3, pairwright: { seeds } } as object)).rejects.toThrow(BadRequestError);
  await expect(texts({ pairwright: { seeds, more: 1 } } as object)).rejects.toThrow(BadRequestError);
});

test("a stream says piece by piece what the whole answer says at once", async () => {
  const request = { ...chat, n: 2, seed: 7, temperature: 1.5 };
  const whole = await client.chat.completions.create(request);
  const stream = await client.chat.completions.create({
    ...request,
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);

  const said = ["", ""];
  const finished: (string | null)[] = [];
  for (const { index, delta, finish_reason } of chunks.flatMap(({ choices }) => choices)) {
    said[index] += delta.content ?? "";
    if (finish_reason !== null) finished[index] = finish_reason;
  }
  expect(said).toEqual(whole.choices.map(({ message }) => message.content));
  expect(finished).toEqual(whole.choices.map(({ finish_reason }) => finish_reason));
  expect(chunks.slice(0, 2).map(({ choices }) => choices[0]?.delta)).toEqual(
    [0, 1].map(() => ({ role: "assistant", content: "" })),
  );
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
  expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  expect(whole).toMatchObject({ object: "chat.completion", model: "local/one" });
});

test("a seed gives the same texts whatever else runs, and no seed gives others", async () => {
  const alone = await texts({ seed: 3, n: 4, temperature: 1.5 });
  const [together] = await Promise.all([
    texts({ seed: 3, n: 4, temperature: 1.5 }),
    ...Array.from({ length: 20 }, (_, seed) => texts({ seed: 100 + seed, n: 2 })),
  ]);
  expect(together).toEqual(alone);
  expect(await texts({ seed: 3, n: 2, temperature: 1.5 })).toEqual(alone.slice(0, 2));

  const free = await Promise.all(Array.from({ length: 12 }, () => texts({ temperature: 2 })));
  expect(new Set(free.flat()).size).toBeGreaterThan(1);
});

test("log-probabilities, stop strings and completions are as OpenAI has them", async () => {
  const { choices } = await client.chat.completions.create({ ...chat, seed: 1, logprobs: true, top_logprobs: 3 });
  const [choice] = choices;
  const tokens = choice?.logprobs?.content ?? [];
  expect(tokens.length).toBeGreaterThan(2);
  expect(tokens.map(({ token }) => token).join("")).toContain(choice?.message.content);
  for (const { logprob, bytes, token, top_logprobs } of tokens) {
    expect(logprob).toBeLessThanOrEqual(0);
    expect(Buffer.from(bytes ?? []).toString()).toBe(token);
    expect(top_logprobs).toHaveLength(3);
  }

  expect((await texts({ seed: 1, stop: ["</row>"] })).join()).not.toContain("</row>");
  const prompt = "<|user|>hello<|assistant|>";
  const listed = await client.completions.create({ model: "local/one", prompt: [prompt, prompt, "x"], n: 2, seed: 5 });
  expect(listed.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(listed.choices[2]?.text).toBe(listed.choices[0]?.text);
  const echoed = await client.completions.create({ model: "local/one", prompt, n: 1, seed: 5, echo: true });
  expect(echoed.choices[0]?.text).toBe(prompt + listed.choices[0]?.text);
  const ids = await client.completions.create({ model: "local/one", prompt: [5, 6], max_tokens: 3, logprobs: 2 });
  expect(ids.choices[0]?.logprobs?.tokens).toHaveLength(ids.usage?.completion_tokens ?? 0);
  expect(ids.usage?.prompt_tokens).toBe(2);
});

test("a client that leaves frees its place in the batch, streaming or not", async () => {
  for (const stream of [true, false]) {
    const stop = new AbortController();
    const asked = client.chat.completions.create({ ...long, n: 20, stream }, { signal: stop.signal });
    const failed = expect(
      (async () => {
        const answer = await asked;
        if (Symbol.asyncIterator in answer) for await (const _ of answer);
        // The stream of a client that leaves by itself just ends.
        stop.signal.throwIfAborted();
      })(),
    ).rejects.toThrow();
    await until(async () => (await figure("pairwright_model_running")) > 0);
    stop.abort();
    await failed;
    await until(async () => (await figure("pairwright_model_running")) === 0);
  }
});

test("when too much waits, requests are told to come back, and those that were taken end", async () => {
  const asked = await Promise.allSettled(
    Array.from({ length: 60 }, () => client.chat.completions.create({ ...long, max_tokens: 40, n: 5 })),
  );
  const turned_away = asked.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];

  expect(turned_away.length).toBeGreaterThan(0);
  expect(turned_away.length).toBeLessThan(60);
  for (const { reason } of turned_away) expect(reason).toBeInstanceOf(RateLimitError);
  expect(turned_away[0]?.reason.headers.get("retry-after")).toBe("1");
});

test("adapters, their base and another model answer at the same time, each as it does alone", async () => {
  const models = ["local/one", "local/two", "me/tuned@cust-1", "me/tuned@cust-2", "me/tuned"];
  const ask = (model: string) => texts({ model, temperature: 0 });
  const alone: (string | null)[][] = [];
  for (const model of models) alone.push(await ask(model));
  const together = await Promise.all(models.map(ask));

  expect(together).toEqual(alone);
  const [one, two, first, second, newest] = together;
  expect(two).toEqual(one);
  expect(first).not.toEqual(one);
  expect(second).not.toEqual(first);
  expect(newest).toEqual(second);
  // Files that were written over are seen by the next request.
  await platform.addAdapter("me/tuned", 2, 3);
  expect(await ask("me/tuned@cust-2")).not.toEqual(second);
  const listed = [];
  for await (const { id } of client.models.list()) listed.push(id);
  expect(listed).toEqual(["local/one", "local/two", "me/tuned@cust-1", "me/tuned", "me/tuned@cust-2"]);
});

const refused: [string, unknown, string | null][] = [
  ["messages", [], "messages"],
  ["messages", "hello", "messages"],
  ["messages", [{ role: "king", content: "x" }], "messages.0.role"],
  ["messages", [{ role: "tool", content: "x" }], "messages"],
  ["messages", [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }], "messages"],
  ["messages", [{ role: "user", content: "word ".repeat(2000) }], "max_tokens"],
  ["max_tokens", 0, "max_tokens"],
  ["max_tokens", 100_000, "max_tokens"],
  ["max_completion_tokens", "many", "max_completion_tokens"],
  ["temperature", -1, "temperature"],
  ["temperature", 1e308, "temperature"],
  ["top_p", 0, "top_p"],
  ["n", 1.5, "n"],
  ["n", 10_000, "n"],
  ["seed", 2 ** 60, "seed"],
  ["stop", [1], "stop"],
  ["logit_bias", { cat: 1 }, "logit_bias.cat"],
  ["logit_bias", { 999999: 1 }, "logit_bias"],
  ["top_logprobs", 100, "top_logprobs"],
  ["stream", "yes", "stream"],
  ["tools", [{ type: "function", function: { name: "f" } }], "tools"],
  ["tool_choice", "required", "tool_choice"],
  ["functions", [{ name: "f" }], "functions"],
  ["response_format", { type: "json_object" }, "response_format"],
  ["guided_json", {}, "guided_json"],
  ["best_of", 5, "best_of"],
  ["suffix", "x", "suffix"],
  ["model", 7, "model"],
];

test("a field that cannot be used is a 400 that names it", async () => {
  const answers = await Promise.all(
    refused.map(async ([field, value]) => {
      const { status, body } = await platform.call("POST", "/nim/v1/chat/completions", { ...chat, [field]: value });
      return [status, body.param, body.error.param];
    }),
  );

  expect(answers).toEqual(refused.map(([, , param]) => [400, param, param]));
  expect(answers).toHaveLength(28);
});

test("a completion that cannot be made is a 400 that names the field", async () => {
  const bad: [object, string][] = [
    [{ prompt: [] }, "prompt"],
    [{ prompt: { text: "x" } }, "prompt"],
    [{ prompt: [5, -1] }, "prompt.1"],
    [{ prompt: [5, 99_999] }, "prompt"],
    [{ prompt: "" }, "prompt"],
    [{ prompt: "x", logprobs: 50 }, "logprobs"],
    [{ prompt: [5], echo: true }, "echo"],
    [{ prompt: "x", echo: true, logprobs: 1 }, "echo"],
    [{ prompt: Array.from({ length: 1000 }, () => "x"), n: 100 }, "n"],
    [{ prompt: ["x", "word ".repeat(2000)] }, "max_tokens"],
  ];
  const params = await Promise.all(
    bad.map(async ([fields]) => {
      const { status, body } = await platform.call("POST", "/v1/completions", { model: "local/one", ...fields });
      return [status, body.param];
    }),
  );

  expect(params).toEqual(bad.map(([, param]) => [400, param]));
});

test("fields that nobody knows, and those that change nothing, are let through", async () => {
  const odd = {
    foo: 1,
    tools: [],
    tool_choice: "auto",
    response_format: { type: "text" },
    user: "u",
    n: null,
    stop: null,
  };
  const parts = [
    {
      role: "user",
      content: [
        { type: "text", text: "a" },
        { type: "text", text: "\u0000😀\ud800" },
      ],
    },
  ];

  expect((await platform.call("POST", "/v1/chat/completions", { ...chat, ...odd })).status).toBe(200);
  expect((await platform.call("POST", "/v1/chat/completions", { ...chat, messages: parts })).status).toBe(200);
});

test("OpenAI's own client tells errors by their class", async () => {
  await expect(client.chat.completions.create({ ...chat, model: "local/none" })).rejects.toThrow(NotFoundError);
  await expect(client.chat.completions.create({ ...chat, model: "local/none" })).rejects.toThrow(
    "The model `local/none` does not exist.",
  );
  await expect(client.chat.completions.create({ ...long, stream: true, n: 1, max_tokens: 9999 })).rejects.toThrow(
    BadRequestError,
  );
  const guarded = await startTestPlatform({ token: "secret", models: ["local/one=examples/tic-tac-toe/base-model"] });
  const stranger = clientOf(guarded.origin).chat.completions.create(chat);
  await expect(stranger).rejects.toThrow(OpenAI.AuthenticationError);
  await expect(stranger).rejects.toThrow("a token is needed");
  await guarded.stop();
});

test("a platform that stops lets a stream end", async () => {
  const other = await startServingPlatform();
  const stream = await clientOf(other.origin).chat.completions.create({ ...long, stream: true });
  let pieces = 0;
  let stopped: Promise<void> | undefined;
  let finish: string | null = null;
  for await (const { choices } of stream) {
    stopped ??= other.stop();
    pieces += 1;
    finish = choices[0]?.finish_reason ?? finish;
  }

  await stopped;
  expect(finish).toBe("length");
  expect(pieces).toBeGreaterThan(50);
});

test("two models that do not fit in memory together take turns", async () => {
  const small = await startServingPlatform({ inference: { memory_bytes: 300 * 2 ** 20 } });
  const openai = clientOf(small.origin);
  const loaded = async () => {
    const text = await (await fetch(`${small.origin}/metrics`)).text();
    return [...text.matchAll(/^pairwright_model_bytes\{model="([^"]+)"\} [1-9]/gm)].map(([, model]) => model);
  };
  const seen = [];
  for (const model of ["local/one", "local/two", "local/one"]) {
    await openai.chat.completions.create({ ...chat, model });
    seen.push(...(await loaded()));
  }
  await small.stop();

  expect(seen).toEqual(["local/one", "local/two", "local/one"]);
});
