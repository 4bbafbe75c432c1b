import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../lib/errors.ts";
import { writeFileWhole } from "../../lib/files.ts";
import { canonicalJson, sha256 } from "../../lib/hash.ts";
import type { Parameters } from "../model/parameters.ts";
import { openSequenceScorer, type ScorerSettings } from "./sequence-scorer.ts";
import { hashOfData, type TrainingData } from "./training-data.ts";

/** Where a reference model's log-probabilities are kept, by a hash of everything that they follow from. */
export interface ReferenceCache {
  dir: string;
  /** Of the reference model's weights. */
  model_hash: string;
}

export interface ReferenceLogProbabilities {
  /** log p(reply | prompt) of each sequence of the data set, summed over its tokens. */
  values: Float64Array;
  /** Whether they were there already. */
  cached: boolean;
}

/**
 * The reference model's log-probability of every sequence: computed once a data set, not once a step. With a cache they
 * are read from there when model, data and the way of computing are the same.
 */
export async function referenceLogProbabilities(
  settings: ScorerSettings,
  data: TrainingData,
  { cache, signal }: { cache: ReferenceCache | null; signal: AbortSignal },
): Promise<ReferenceLogProbabilities> {
  const path = cache && join(cache.dir, `${keyOf(settings, data, cache)}.json`);
  const found = path && (await readCached(path, data.sequences.length));
  if (found) return { values: found, cached: true };
  const scorer = await openSequenceScorer(settings);
  try {
    const scores = await scorer.score(data, data.sequences.keys(), signal);
    const values = Float64Array.from(data.sequences, (_, index) => scores.get(index) ?? Number.NaN);
    // JSON has no NaN: what is not finite would be read as 0 the next time.
    if (path && values.every(Number.isFinite)) await writeFileWhole(path, JSON.stringify([...values]));
    return { values, cached: false };
  } finally {
    await scorer.release();
  }
}

/** The packing is part of the key: it decides the last bits, and a resumed job must find the same ones. */
function keyOf(settings: ScorerSettings, data: TrainingData, { model_hash }: ReferenceCache): string {
  const { config, max_tokens, chunks, max_length } = settings;
  return sha256(canonicalJson({ model_hash, config, max_tokens, chunks, max_length, data: hashOfData(data) }));
}

async function readCached(path: string, size: number): Promise<Float64Array | null> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  });
  if (text === null) return null;
  const values = Float64Array.from(JSON.parse(text) as number[]);
  return values.length === size ? values : null;
}

/** A hash of weights, over their bytes in the order of their names. */
export function hashOfWeights(weights: Parameters): string {
  const digest = createHash("sha256");
  const sorted = [...weights].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, { data }] of sorted) {
    digest.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return digest.digest("hex");
}
