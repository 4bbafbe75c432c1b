import OpenAI, { AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatMove, movePrompt } from "../../examples/tic-tac-toe/prompt.ts";
import { startTestPlatform } from "../../src/platform/__fixtures__/test-platform.ts";
import { summary } from "./platform/call-counter.ts";
import { type RunningPlatform, startRunningPlatform } from "./platform/platform-process.ts";
import { describeSuites } from "./platform/suite.ts";
import { pythonEnv } from "./python-env.ts";

const TOKEN = "the-token-of-this-test";
/** Requests of eight candidates at once, where 16 candidates may wait. */
const FLOOD = 60;

let guarded: RunningPlatform;
let small: Awaited<ReturnType<typeof startTestPlatform>>;
beforeAll(async () => {
  guarded = await startRunningPlatform(["--token", TOKEN]);
  small = await startTestPlatform({ inference: { max_pending: 16 } });
});
afterAll(async () => {
  await guarded?.[Symbol.asyncDispose]();
  await small?.stop();
});

/** What the platform serves from the start. */
async function baseModel(url: string): Promise<string> {
  const { data } = (await (await fetch(`${url}/nim/v1/models`)).json()) as { data: { id: string }[] };
  return data[0]?.id ?? "";
}

describeSuites("openai of Python", await pythonEnv("requirements-toolkit.txt"), [
  {
    script: "openai_client.py",
    versions: { openai: /^3\./ },
    sections: {
      models: 4,
      chat: 17,
      logprobs: 9,
      stream: 11,
      completions: 5,
      errors: 16,
      "a platform with a token": 3,
      "clients that leave": 3,
      "many at once": 1,
      "too many at once": 5,
    },
    job: async ({ url }) => ({
      ...{ model: await baseModel(url), guarded_url: guarded.url, token: TOKEN },
      ...{ small_url: small.origin, flood: FLOOD },
    }),
  },
]);

describe("openai of npm", () => {
  const messages = movePrompt({ board: [Array(3).fill(0), Array(3).fill(0), Array(3).fill(0)], player: 1 }) as {
    role: "system" | "user";
    content: string;
  }[];
  const MOVES = [1, 2, 3].flatMap((row) => [1, 2, 3].map((col) => formatMove({ row, col })));
  let platform: RunningPlatform;
  let client: OpenAI;
  let model: string;
  beforeAll(async () => {
    platform = await startRunningPlatform();
    client = new OpenAI({ baseURL: `${platform.url}/nim/v1`, apiKey: "local", maxRetries: 0 });
    model = await baseModel(platform.url);
  });
  afterAll(async () => {
    expect(platform.calls.length).toBeGreaterThan(0);
    process.stdout.write(`openai of npm: ${platform.calls.length} calls\n  ${summary(platform.calls).join("\n  ")}\n`);
    await platform[Symbol.asyncDispose]();
  });
  const ask = (given: object = {}) =>
    client.chat.completions.create({ model, messages, max_tokens: 64, temperature: 0, ...given, stream: false });

  test("models are listed", async () => {
    const names: string[] = [];
    for await (const { id } of client.models.list()) names.push(id);
    expect(names).toContain(model);
    expect((await client.models.retrieve(model)).id).toBe(model);
  });

  test("chat: a move, its end, its usage", async () => {
    const got = await ask();
    expect(MOVES).toContain(got.choices[0]?.message.content);
    expect(got.choices[0]?.finish_reason).toBe("stop");
    expect(got.usage?.total_tokens).toBe((got.usage?.prompt_tokens ?? 0) + (got.usage?.completion_tokens ?? 0));
  });

  test("n, seed and stop", async () => {
    const first = await ask({ n: 4, seed: 3, temperature: 1 });
    expect(first.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    const texts = (of: typeof first) => of.choices.map(({ message }) => message.content);
    expect(texts(await ask({ n: 4, seed: 3, temperature: 1 }))).toEqual(texts(first));
    expect((await ask({ stop: ["<row>"] })).choices[0]?.message.content).toBe("<move>\n  ");
  });

  test("logprobs are of the tokens that make the text", async () => {
    const { message, logprobs } = (await ask({ logprobs: true, top_logprobs: 2 })).choices[0]!;
    const tokens = logprobs?.content ?? [];
    expect(tokens.length).toBeGreaterThanOrEqual(4);
    expect(tokens.map(({ token }) => token).join("")).toContain(message.content);
    for (const { logprob, top_logprobs } of tokens) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(top_logprobs.length).toBe(2);
    }
  });

  test("a stream brings the same text as one answer", async () => {
    const whole = await ask({ seed: 9, temperature: 1 });
    const stream = await client.chat.completions.create({
      ...{ model, messages, max_tokens: 64, temperature: 1, seed: 9 },
      stream: true,
      stream_options: { include_usage: true },
    });
    const pieces: string[] = [];
    let usage: unknown;
    for await (const chunk of stream) {
      pieces.push(chunk.choices[0]?.delta.content ?? "");
      usage = chunk.usage ?? usage;
    }
    expect(pieces.join("")).toBe(whole.choices[0]?.message.content);
    expect(pieces.length).toBeGreaterThan(3);
    expect(usage).toEqual(whole.usage);
  });

  test("completions of a plain prompt", async () => {
    const got = await client.completions.create({ model, prompt: "<move>\n  <row>", max_tokens: 3, temperature: 0 });
    expect(got.object).toBe("text_completion");
    expect(got.usage?.completion_tokens).toBeLessThanOrEqual(3);
  });

  test("a client that aborts leaves nothing behind", async () => {
    for (let n = 0; n < 10; n += 1) {
      const stream = await client.chat.completions.create({ model, messages, temperature: 1, seed: n, stream: true });
      stream.controller.abort();
      const abort = new AbortController();
      const asked = client.chat.completions.create({ model, messages, n: 8 }, { signal: abort.signal });
      abort.abort();
      await expect(asked).rejects.toThrow(/abort/i);
    }
    expect((await ask()).choices.length).toBe(1);
  });

  test("errors are of the client's own classes", async () => {
    await expect(ask({ model: "no/such" })).rejects.toBeInstanceOf(NotFoundError);
    await expect(ask({ messages: [] })).rejects.toBeInstanceOf(BadRequestError);
    await expect(ask({ temperature: -1 })).rejects.toThrow(/temperature/);
    await expect(
      ask({ tools: [{ type: "function", function: { name: "f", parameters: {} } }] }),
    ).rejects.toBeInstanceOf(BadRequestError);
    const stranger = new OpenAI({ baseURL: `${guarded.url}/nim/v1`, apiKey: "wrong", maxRetries: 0 });
    await expect(stranger.chat.completions.create({ model, messages })).rejects.toBeInstanceOf(AuthenticationError);
    const friend = new OpenAI({ baseURL: `${guarded.url}/nim/v1`, apiKey: TOKEN, maxRetries: 0 });
    expect((await friend.chat.completions.create({ model, messages })).choices.length).toBe(1);
  });

  test("too many at once are told to wait, and those who wait get their answer", async () => {
    const crowded = new OpenAI({ baseURL: `${small.origin}/nim/v1`, apiKey: "local", maxRetries: 0 });
    const flood = Array.from({ length: FLOOD }, (_, seed) =>
      crowded.chat.completions.create({ model, messages, seed, n: 8, temperature: 2 }),
    );
    const done = await Promise.allSettled(flood);
    const refused = done.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []));
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(FLOOD);
    for (const error of refused) {
      expect(error).toBeInstanceOf(RateLimitError);
      expect(Number((error as RateLimitError).headers?.get("retry-after"))).toBeGreaterThanOrEqual(1);
    }
    const patient = new OpenAI({ baseURL: `${small.origin}/nim/v1`, apiKey: "local", maxRetries: 5 });
    expect((await patient.chat.completions.create({ model, messages })).choices.length).toBe(1);
  });
});
