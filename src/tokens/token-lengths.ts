import type { EncodedExample, EncodedPair } from "./row-encoder.ts";

/** Lengths in tokens. Median and 95th percentile are lengths that occur (nearest rank). */
export interface LengthSummary {
  count: number;
  min: number;
  median: number;
  p95: number;
  max: number;
  sum: number;
}

/** Lengths of a data set's prompts, of its completions (a pair has two) and of both together, completion by completion. */
export interface TokenLengths {
  prompt: LengthSummary;
  completion: LengthSummary;
  total: LengthSummary;
}

/** The lengths of rows; `null` when there are none. A prompt counts once a row, however many completions follow it. */
export function tokenLengths(rows: readonly (EncodedExample | EncodedPair)[]): TokenLengths | null {
  const prompts: number[] = [];
  const completions: number[] = [];
  const totals: number[] = [];
  for (const row of rows) {
    prompts.push(row.prompt_ids.length);
    for (const ids of "completion_ids" in row ? [row.completion_ids] : [row.chosen_ids, row.rejected_ids]) {
      completions.push(ids.length);
      totals.push(row.prompt_ids.length + ids.length);
    }
  }
  const [prompt, completion, total] = [prompts, completions, totals].map(summarise);
  return prompt && completion && total ? { prompt, completion, total } : null;
}

/** Smallest, median, 95th percentile and largest of lengths; `null` for none. */
export function summarise(lengths: readonly number[]): LengthSummary | null {
  const sorted = Float64Array.from(lengths).sort();
  const count = sorted.length;
  const [min] = sorted;
  if (min === undefined) return null;
  const atRank = (share: number) => sorted[Math.ceil(share * count) - 1] ?? min;
  const sum = sorted.reduce((total, length) => total + length, 0);
  return { count, min, median: atRank(0.5), p95: atRank(0.95), max: atRank(1), sum };
}
