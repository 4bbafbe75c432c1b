import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TINY, writeTinyTokenizer } from "../../tokens/__fixtures__/tiny-tokenizer.ts";
import { openTokenizer } from "../../tokens/open-tokenizer.ts";
import { noisyDecoder } from "./__fixtures__/noisy-decoder.ts";
import { type Generator, generatorOf } from "./generator.ts";
import { streamText } from "./stream-text.ts";

let folder: string;
let generator: Generator;
let runs: unknown[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pairwright-stream-"));
  await writeTinyTokenizer(folder);
  const { decoder, runs: counted } = noisyDecoder({ vocab_size: TINY.vocab_size, rows: 4, length: 200, noise: false });
  runs = counted;
  generator = generatorOf(decoder, { max_batch: 4, rows_alone: false, tokenizer: await openTokenizer(folder) });
});
afterAll(() => rm(folder, { recursive: true }));

const request = { prompt: [5, 6], n: 2, max_tokens: 20, stop_token_ids: [] };

test("pieces put together are the texts of the completions, which come at the end", async () => {
  const texts = ["", ""];
  let pieces = 0;
  const stream = streamText(generator, request);
  for (;;) {
    const { done, value } = await stream.next();
    if (done) {
      expect(value.map(({ text }) => text)).toEqual(texts);
      break;
    }
    texts[value.index] += value.text;
    pieces += 1;
  }
  expect(pieces).toBeGreaterThan(10);
});

test("a reader that leaves ends the request", async () => {
  const before = runs.length;
  for await (const piece of streamText(generator, { ...request, max_tokens: 150 })) {
    if (piece.text !== "") break;
  }
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(runs.length - before).toBeLessThan(15);
});

test("an aborted stream ends with what there is", async () => {
  const stop = new AbortController();
  const stream = streamText(generator, { ...request, max_tokens: 150 }, { signal: stop.signal });
  await stream.next();
  stop.abort();
  let last = await stream.next();
  while (!last.done) last = await stream.next();
  expect(last.value.map(({ finish_reason }) => finish_reason)).toEqual(["abort", "abort"]);
});

test("a refused request is thrown to the reader", async () => {
  await expect(streamText(generator, { prompt: [] }).next()).rejects.toMatchObject({ code: "bad_request" });
});
