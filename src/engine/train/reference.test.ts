import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { initialWeights } from "../model/initial-weights.ts";
import { SMALL, smallData } from "./__fixtures__/small-model.ts";
import { hashOfWeights, referenceLogProbabilities } from "./reference.ts";
import type { ScorerSettings } from "./sequence-scorer.ts";

const weights = initialWeights(SMALL, { deviation: 0.3, seed: 1 });
const settings: ScorerSettings = { config: SMALL, weights, max_length: 64, max_tokens: 64, chunks: 1, threads: 1 };
const { signal } = new AbortController();

test("a reference is computed once for the same model, data and packing, and again for any other", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-reference-"));
  const data = smallData();
  const cache = { dir, model_hash: hashOfWeights(weights) };
  const first = await referenceLogProbabilities(settings, data, { cache, signal });
  const again = await referenceLogProbabilities(settings, data, { cache, signal });
  expect([first.cached, again.cached]).toEqual([false, true]);
  expect(again.values).toEqual(first.values);
  expect(first.values).toHaveLength(data.sequences.length);
  expect(first.values.every((value) => value < 0 && value > -100)).toBe(true);

  const other = initialWeights(SMALL, { deviation: 0.3, seed: 2 });
  const changed = { dir, model_hash: hashOfWeights(other) };
  expect(changed.model_hash).not.toBe(cache.model_hash);
  const of_other = await referenceLogProbabilities({ ...settings, weights: other }, data, { cache: changed, signal });
  const packed = await referenceLogProbabilities({ ...settings, max_tokens: 32 }, data, { cache, signal });
  expect([of_other.cached, packed.cached]).toEqual([false, false]);
  expect(await readdir(dir)).toHaveLength(3);
  const differences = packed.values.map((value, index) => Math.abs(value - first.values[index]!));
  expect(Math.max(...differences)).toBeLessThan(1e-4);
  await rm(dir, { recursive: true });
});

test("a stop is heeded before the next run", async () => {
  const stopped = AbortSignal.abort();
  const computed = referenceLogProbabilities(settings, smallData(), { cache: null, signal: stopped });
  await expect(computed).rejects.toBe(stopped.reason);
});
