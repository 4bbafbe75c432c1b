import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collectGarbage } from "../../lib/__fixtures__/collect-garbage.ts";
import { seededRandom } from "../../lib/random.ts";
import { TINY, writeTinyTokenizer } from "../../tokens/__fixtures__/tiny-tokenizer.ts";
import { openTokenizer } from "../../tokens/open-tokenizer.ts";
import type { Tokenizer } from "../../tokens/tokenizer.ts";
import { plainForward } from "./__fixtures__/plain-forward.ts";
import { randomParameters, smallConfig } from "./__fixtures__/random-model.ts";
import { type Generator, type GeneratorOptions, openGenerator } from "./generator.ts";
import type { TextPiece } from "./job.ts";
import type { GenerationRequest } from "./request.ts";

const config = smallConfig({
  vocab_size: TINY.vocab_size,
  hidden_size: 32,
  head_dim: 16,
  num_attention_heads: 2,
  num_key_value_heads: 1,
});
const parameters = randomParameters(config, 3, 0.5);
let folder: string;
let tokenizer: Tokenizer;
const opened: Generator[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pairwright-generate-"));
  await writeTinyTokenizer(folder);
  tokenizer = await openTokenizer(folder);
});
afterAll(async () => {
  await Promise.all(opened.map((generator) => generator.close()));
  await rm(folder, { recursive: true });
});

async function open(changes: Partial<GeneratorOptions> = {}): Promise<Generator> {
  const generator = await openGenerator({ config, parameters, tokenizer, threads: 1, max_batch: 6, ...changes });
  opened.push(generator);
  return generator;
}

/** Control tokens would end or hide text that these tests look at. */
const NO_CONTROL = { stop_token_ids: [], logit_bias: { 0: -100, 1: -100, 2: -100, 3: -100 } };

function randomRequest(random: () => number): GenerationRequest {
  const whole = (most: number) => Math.floor(random() * most);
  return {
    prompt: Array.from({ length: 1 + whole(20) }, () => whole(TINY.vocab_size)),
    n: 1 + whole(3),
    max_tokens: 1 + whole(15),
    seed: whole(1_000_000),
    temperature: [0, 0.7, 1][whole(3)]!,
    top_p: [1, 0.9][whole(2)]!,
    repetition_penalty: [1, 1.2][whole(2)]!,
  };
}

test("greedy text is the text of the plain float64 pass, token by token", async () => {
  const generator = await open();
  const prompt = tokenizer.encode("hello world");
  const [made] = await generator.generate({ prompt, max_tokens: 12, temperature: 0, stop_token_ids: [] });

  const ids = [...prompt];
  for (let step = 0; step < 12; step += 1) {
    const logits = plainForward(config, parameters, ids).at(-1)!;
    ids.push(logits.indexOf(Math.max(...logits)));
  }
  expect(made!.token_ids).toEqual(ids.slice(prompt.length));
  expect(made!.text).toBe(tokenizer.decode(ids.slice(prompt.length)));
  expect(made!.finish_reason).toBe("length");
});

describe.each([
  ["f32", 1],
  ["f32", 2],
  ["int8", 2],
] as const)("%s on %i threads", (weights, threads) => {
  test("the text of a request is the same in any company, also for seeded randomness", async () => {
    const random = seededRandom(8);
    const requests = Array.from({ length: 40 }, () => randomRequest(random));
    const single = await open({ max_batch: 1, weights, threads });
    const expected = [];
    for (const request of requests) expected.push(await single.generate(request));

    const many = await open({ max_batch: 7, weights, threads, batch_invariant: true });
    for (let round = 0; round < 3; round += 1) {
      const order = requests.map((_, at) => at).sort(() => random() - 0.5);
      const made = await Promise.all(
        order.map(async (at) => ({ at, completions: await many.generate(requests[at]!) })),
      );
      for (const { at, completions } of made) expect(completions).toEqual(expected[at]);
    }
  });
});

test("with a seed for each, candidates are what requests of their own would give", async () => {
  const generator = await open();
  const request = { prompt: tokenizer.encode("hello world"), max_tokens: 12, temperature: 1.3, stop_token_ids: [] };
  const seeds = [5, 9, 5, -2];
  const alone = [];
  for (const seed of seeds) alone.push((await generator.generate({ ...request, seed }))[0]!);
  const together = await generator.generate({ ...request, seed: 77, seeds });
  expect(together.map(({ token_ids }) => token_ids)).toEqual(alone.map(({ token_ids }) => token_ids));
  expect(together.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  expect(alone[0]!.token_ids).not.toEqual(alone[1]!.token_ids);
});

test("text comes in pieces that are the text, and no piece shows a stop string or its beginning", async () => {
  const generator = await open();
  const request = { prompt: tokenizer.encode("You play"), max_tokens: 40, seed: 4, n: 3, ...NO_CONTROL };
  const whole = await generator.generate(request);
  let stopped = 0;
  for (const { index, text, token_ids } of whole) {
    expect(token_ids).toHaveLength(40);
    // Three characters from the middle, wherever the tokens' borders are.
    const stop = text.slice(20, 23);
    const pieces: TextPiece[] = [];
    const [cut] = await generator.generate(
      { ...request, n: 1, first_candidate: index, stop: [stop, "never there"] },
      { on_text: (piece) => pieces.push(piece) },
    );
    const before = text.slice(0, text.indexOf(stop));
    expect(cut).toMatchObject({ text: before, finish_reason: "stop", stopped_by: stop });
    expect(pieces.map((piece) => piece.text).join("")).toBe(before);
    expect(pieces.every((piece) => piece.index === index)).toBe(true);
    expect(cut!.token_ids).toEqual(token_ids.slice(0, cut!.token_ids.length));
    stopped += 1;
  }
  expect(stopped).toBe(3);
});

test("the tokenizer's end token ends the text and is no part of it, unless other tokens are told to", async () => {
  const generator = await open();
  const ends = { logit_bias: { [TINY.im_end]: 100 } };
  const [ended] = await generator.generate({ prompt: [270], max_tokens: 5, ...ends });
  expect(ended).toMatchObject({ text: "", token_ids: [TINY.im_end], finish_reason: "stop", stopped_by: null });
  const [other] = await generator.generate({ prompt: [270], max_tokens: 5, ...ends, stop_token_ids: [9] });
  expect(other).toMatchObject({ finish_reason: "length" });
  expect(other!.token_ids).toHaveLength(5);
});

test("log-probabilities are those of the model, whatever temperature and penalties do to the choice", async () => {
  const generator = await open();
  const prompt = tokenizer.encode("good move");
  const request = {
    prompt,
    max_tokens: 6,
    temperature: 2,
    presence_penalty: 1,
    seed: 3,
    logprobs: 3,
    stop_token_ids: [],
    // Drawn most of the time, with logits that are not the model's.
    logit_bias: { 270: 14 },
  };
  const [made] = await generator.generate(request);
  expect(made!.token_ids.filter((id) => id === 270).length).toBeGreaterThan(2);
  const ids = [...prompt, ...made!.token_ids];
  const logits = plainForward(config, parameters, ids);
  expect(made!.logprobs).toHaveLength(6);
  for (const [place, { token_id, logprob, top }] of made!.logprobs!.entries()) {
    const row = logits[prompt.length - 1 + place]!;
    const all = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
    expect(token_id).toBe(made!.token_ids[place]);
    expect(logprob).toBeCloseTo(row[token_id]! - all, 4);
    const best = row
      .map((logit, id) => [logit - all, id] as const)
      .sort((a, b) => b[0] - a[0])
      .slice(0, 3);
    expect(top.map((entry) => entry.token_id)).toEqual(best.map(([, id]) => id));
    for (const [at, entry] of top.entries()) expect(entry.logprob).toBeCloseTo(best[at]![0], 4);
  }
});

test("many requests take no more memory than a few", async () => {
  const generator = await open();
  const random = seededRandom(1);
  const serve = async (count: number) => {
    await Promise.all(Array.from({ length: count }, () => generator.generate(randomRequest(random))));
  };
  const used = () => {
    collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  await serve(50);
  const before = used();
  for (let round = 0; round < 6; round += 1) await serve(50);
  // Three hundred requests: some ten kilobytes a request would be seen.
  expect(used() - before).toBeLessThan(4 * 2 ** 20);
});

test("what a listener throws ends its own request, and the others go on", async () => {
  const generator = await open();
  const request = { prompt: tokenizer.encode("red"), max_tokens: 10, ...NO_CONTROL };
  const throwing = generator.generate(request, {
    on_text() {
      throw new Error("nobody listens");
    },
  });
  const [bad, good] = await Promise.allSettled([throwing, generator.generate(request)]);
  expect(bad).toMatchObject({ status: "rejected", reason: { message: "nobody listens" } });
  expect(good).toMatchObject({ status: "fulfilled", value: [{ finish_reason: "length" }] });
});

test.each<[string, GenerationRequest, object]>([
  ["no prompt", { prompt: [] }, { code: "bad_request", where: "prompt" }],
  [
    "a token that is not there",
    { prompt: [1, 320] },
    { code: "bad_request", where: "prompt", what: "the model knows no token 320" },
  ],
  ["a prompt without room for a reply", { prompt: new Array(64).fill(5) }, { code: "prompt_too_long" }],
  [
    "a reply that is too long",
    { prompt: new Array(60).fill(5), max_tokens: 5 },
    {
      code: "prompt_too_long",
      what: "60 tokens of prompt and 5 of a reply do not fit in 64 tokens",
      fix: "ask for at most 4 tokens, or shorten the prompt",
    },
  ],
  ["no candidate", { prompt: [5], n: 0 }, { code: "bad_request", where: "n" }],
  ["half a token", { prompt: [5], max_tokens: 0.5 }, { code: "bad_request", where: "max_tokens" }],
  ["a temperature below 0", { prompt: [5], temperature: -1 }, { code: "bad_request", where: "temperature" }],
  [
    "a temperature that is no number",
    { prompt: [5], temperature: Number.NaN },
    { code: "bad_request", where: "temperature" },
  ],
  ["a share over 1", { prompt: [5], top_p: 1.5 }, { code: "bad_request", where: "top_p" }],
  [
    "a bias for a token that is not there",
    { prompt: [5], logit_bias: { 999: 1 } },
    { code: "bad_request", where: "logit_bias" },
  ],
  ["seeds for others", { prompt: [5], n: 3, seeds: [1, 2] }, { code: "bad_request", where: "seeds" }],
  ["half a seed", { prompt: [5], seeds: [0.5] }, { code: "bad_request", where: "seeds" }],
  ["an empty stop string", { prompt: [5], stop: [""] }, { code: "bad_request", where: "stop" }],
  ["more alternatives than tokens", { prompt: [5], logprobs: 400 }, { code: "bad_request", where: "logprobs" }],
  ["a seed that is not whole", { prompt: [5], seed: 1.5 }, { code: "bad_request", where: "seed" }],
])("refused: %s", async (_, request, error) => {
  const generator = opened[0]!;
  await expect(generator.generate(request)).rejects.toMatchObject(error);
});

test("a length that the model was not made for, and a cache that is not allowed, are refused", async () => {
  await expect(open({ max_batch: 0 })).rejects.toMatchObject({ code: "bad_request", where: "max_batch" });
  await expect(open({ max_length: 65 })).rejects.toMatchObject({ code: "bad_request", where: "max_length" });
  await expect(open({ max_cache_bytes: 2 ** 16 })).rejects.toMatchObject({
    code: "cache_too_large",
    what: "keys and values of 6 texts of 64 tokens take 0.0938 MiB, and 0.0625 MiB are allowed",
  });
});

test("stop strings without a tokenizer are refused, token ids are made all the same", async () => {
  const generator = await open({ tokenizer: undefined });
  await expect(generator.generate({ prompt: [5], stop: ["x"] })).rejects.toMatchObject({ where: "stop" });
  const [made] = await generator.generate({ prompt: [5], max_tokens: 3 });
  expect(made).toMatchObject({ text: "", finish_reason: "length" });
});

test("an option that is given as undefined is one that is not given", async () => {
  const generator = await open();
  const plain = await generator.generate({ prompt: [5], max_tokens: 3 });
  const request = { prompt: [5], max_tokens: 3, top_k: undefined, seed: undefined } as unknown as GenerationRequest;
  expect(await generator.generate(request)).toEqual(plain);
});
