import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { noisyDecoder } from "./__fixtures__/noisy-decoder.ts";
import { generatorOf, rowsAreIndependent } from "./generator.ts";
import type { GenerationRequest } from "./request.ts";
import { PROMPT_TOKENS, rowsNeeded } from "./scheduler.ts";

const VOCAB = 23;

function open({ max_batch = 4, length = 40, noise = false, rows_alone = false } = {}) {
  const { decoder, runs } = noisyDecoder({ vocab_size: VOCAB, rows: rowsNeeded(max_batch, length), length, noise });
  return { generator: generatorOf(decoder, { max_batch, rows_alone }), decoder, runs };
}

function randomRequest(random: () => number): GenerationRequest {
  const whole = (most: number) => Math.floor(random() * most);
  return {
    prompt: Array.from({ length: 1 + whole(6) }, () => whole(VOCAB)),
    n: 1 + whole(6),
    max_tokens: 1 + whole(12),
    seed: whole(1000),
    stop_token_ids: [whole(VOCAB), whole(VOCAB)],
    temperature: whole(2),
    presence_penalty: whole(2),
  };
}

const settled = (rounds: number) =>
  new Promise<void>((resolve) => {
    const wait = (left: number) => (left === 0 ? resolve() : setImmediate(() => wait(left - 1)));
    wait(rounds);
  });

test("whatever joins and leaves when, every request gets what it gets alone", async () => {
  const random = seededRandom(2);
  const requests = Array.from({ length: 120 }, () => randomRequest(random));
  const alone = open({ max_batch: 1 });
  const expected = [];
  for (const request of requests) expected.push(await alone.generator.generate(request));

  const { generator, runs } = open();
  const running = [];
  for (const request of requests) {
    running.push(generator.generate(request));
    if (random() < 0.5) await settled(Math.floor(random() * 4));
  }
  expect(await Promise.all(running)).toEqual(expected);
  expect(expected.flat().length).toBeGreaterThan(300);
  expect(Math.max(...runs.map(({ past }) => past.length))).toBe(4);
  expect(runs.length).toBeLessThan(alone.runs.length / 2);
});

test("a request of n candidates is n requests of one candidate each", async () => {
  const { generator } = open();
  const request = { prompt: [1, 2, 3], max_tokens: 9, seed: 5, repetition_penalty: 1.3 };
  const together = await generator.generate({ ...request, n: 7 });
  const one_by_one = await Promise.all(
    Array.from({ length: 7 }, (_, first_candidate) => generator.generate({ ...request, first_candidate })),
  );
  expect(one_by_one.flat()).toEqual(together);
  expect(new Set(together.map(({ token_ids }) => token_ids.join())).size).toBe(7);
});

test("the prompt is read once for all candidates, also for those that wait", async () => {
  const { generator, runs } = open({ max_batch: 2 });
  await generator.generate({ prompt: [4, 5, 6, 7], n: 9, max_tokens: 3 });
  expect(runs.filter(({ tokens, past }) => tokens.length > past.length)).toHaveLength(1);
});

test("prompts of equal length are read together, and others are not filled up to them", async () => {
  const { generator, runs } = open({ max_batch: 4 });
  const prompts = [
    [1, 2, 3],
    [4, 5],
    [6, 7, 8],
    [9, 10, 11],
  ];
  await Promise.all(prompts.map((prompt) => generator.generate({ prompt, max_tokens: 4 })));
  const read = runs.filter(({ past }) => past.every((known) => known === 0)).map(({ tokens }) => Array.from(tokens));
  expect(read).toEqual([
    [1, 2, 3, 6, 7, 8, 9, 10, 11],
    [4, 5],
  ]);
});

test("a long prompt is read in pieces, with steps of others between, and gives what it should", async () => {
  const length = 4 * PROMPT_TOKENS;
  const { generator, runs } = open({ max_batch: 3, length });
  const prompt = Array.from({ length: 3 * PROMPT_TOKENS + 7 }, (_, at) => at % VOCAB);
  const short = generator.generate({ prompt: [1], max_tokens: 30 });
  const [long, other] = await Promise.all([
    generator.generate({ prompt, n: 4, max_tokens: 5, seed: 1 }),
    generator.generate({ prompt: [2], max_tokens: 3 }),
  ]);
  await short;
  const pieces = runs.flatMap(({ tokens, first }, at) => (first === 3 ? [{ size: tokens.length, at }] : []));
  expect(pieces.map(({ size }) => size)).toEqual([PROMPT_TOKENS, PROMPT_TOKENS, PROMPT_TOKENS, 7]);
  expect(pieces[3]!.at - pieces[0]!.at).toBeGreaterThan(3);
  expect(other).toHaveLength(1);
  const again = await open({ max_batch: 4, length }).generator.generate({ prompt, n: 4, max_tokens: 5, seed: 1 });
  expect(long).toEqual(again);
});

test("an aborted request gives what it has at once, and its place goes to the next one", async () => {
  const { generator, runs } = open({ max_batch: 1, length: 1000 });
  const stop = new AbortController();
  const first = generator.generate({ prompt: [1], n: 2, temperature: 1 }, { signal: stop.signal });
  const next = generator.generate({ prompt: [2], max_tokens: 2 });
  await settled(20);
  const before = runs.length;
  stop.abort();
  const [begun, waiting] = await first;
  expect(begun?.finish_reason).toBe("abort");
  expect(begun!.token_ids.length).toBeGreaterThan(2);
  expect(waiting).toMatchObject({ finish_reason: "abort", token_ids: [] });
  expect((await next)[0]?.finish_reason).toBe("length");
  expect(runs.length - before).toBeLessThan(5);

  const too_late = await generator.generate({ prompt: [1] }, { signal: AbortSignal.abort() });
  expect(too_late.map(({ finish_reason }) => finish_reason)).toEqual(["abort"]);
});

test("a signal that many requests share keeps none of them", async () => {
  const { generator } = open();
  const shared = new AbortController();
  const results = [1, 2, 3].map((id) => generator.generate({ prompt: [id], max_tokens: 2 }, { signal: shared.signal }));
  expect(getEventListeners(shared.signal, "abort")).toHaveLength(3);
  await Promise.all(results);
  expect(getEventListeners(shared.signal, "abort")).toHaveLength(0);
});

test("a request is not passed over by shorter ones that come later", async () => {
  const { generator } = open({ max_batch: 2 });
  const order: string[] = [];
  const ask = (name: string, request: GenerationRequest) =>
    generator.generate(request).then(() => void order.push(name));
  await Promise.all([
    ask("running", { prompt: [1], n: 2, max_tokens: 6 }),
    ask("first", { prompt: [2, 3], n: 2, max_tokens: 2 }),
    ask("later", { prompt: [4], n: 1, max_tokens: 1 }),
  ]);
  expect(order).toEqual(["running", "first", "later"]);
});

test("the event loop turns between steps", async () => {
  const { generator, runs } = open({ length: 200 });
  let turns = 0;
  let over = false;
  const count = () => {
    turns += 1;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  await generator.generate({ prompt: [1], max_tokens: 100 });
  over = true;
  expect(turns).toBeGreaterThanOrEqual(runs.length - 1);
});

test("a fault of one request is nobody else's", async () => {
  const { generator } = open();
  const failing = generator.generate({ prompt: [1], max_tokens: 3, logit_bias: { 3: Number.NaN } });
  await expect(failing).rejects.toMatchObject({ code: "bad_request", where: "logit_bias" });
  const forbidden = Object.fromEntries(Array.from({ length: VOCAB }, (_, id) => [id, Number.NEGATIVE_INFINITY]));
  const [bad, good] = await Promise.allSettled([
    generator.generate({ prompt: [1], max_tokens: 3, logit_bias: forbidden }),
    generator.generate({ prompt: [1], max_tokens: 3 }),
  ]);
  expect(bad).toMatchObject({ status: "rejected", reason: { code: "bad_logits" } });
  expect(good.status).toBe("fulfilled");
});

test("a run that fails is the error of every request there, and the next one is served", async () => {
  const { decoder } = noisyDecoder({ vocab_size: VOCAB, rows: 4, length: 40, noise: false });
  let fails = true;
  const run = decoder.run;
  decoder.run = async (input) => {
    if (fails) throw new Error("no memory left");
    return run(input);
  };
  const generator = generatorOf(decoder, { max_batch: 4, rows_alone: false });
  const results = await Promise.allSettled([1, 2].map((id) => generator.generate({ prompt: [id] })));
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  fails = false;
  expect(await generator.generate({ prompt: [1], max_tokens: 1 })).toHaveLength(1);
});

test("closing ends what runs and what waits with an error", async () => {
  const { generator } = open({ max_batch: 1 });
  const running = [1, 2, 3].map((id) => generator.generate({ prompt: [id] }));
  const results = Promise.allSettled(running);
  await generator.close();
  for (const result of await results) expect(result).toMatchObject({ reason: { code: "generator_closed" } });
  await expect(generator.generate({ prompt: [1] })).rejects.toMatchObject({ code: "generator_closed" });
});

test("where the batch's shape shows in the numbers it is found out, and rows that run alone give the same text", async () => {
  const noisy = { vocab_size: VOCAB, rows: 4, length: 40, noise: true };
  expect(await rowsAreIndependent(noisyDecoder(noisy).decoder, 4)).toBe(false);
  expect(await rowsAreIndependent(noisyDecoder({ ...noisy, noise: false }).decoder, 4)).toBe(true);

  const random = seededRandom(9);
  const requests = Array.from({ length: 60 }, () => randomRequest(random));
  const texts = async (rows_alone: boolean, at_once: boolean) => {
    const { generator } = open({ noise: true, rows_alone });
    const made = [];
    for (const request of requests)
      made.push(at_once ? generator.generate(request) : await generator.generate({ ...request }));
    return (await Promise.all(made)).flat().map(({ token_ids }) => token_ids);
  };
  expect(await texts(true, true)).toEqual(await texts(true, false));
  expect(await texts(false, true)).not.toEqual(await texts(false, false));
});
