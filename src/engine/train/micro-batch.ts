import type { LeastRows } from "./steady-sums.ts";
import { promptAt, sequenceAt, type TrainingData } from "./training-data.ts";
import { type Prediction, type WantedTensors, wantedTokens } from "./wanted-tokens.ts";

/**
 * A prompt with replies to it side by side in one row: the prompt is computed once. Each reply sees the prompt and itself,
 * and its positions go on from the prompt's, so it is computed as if it stood there alone.
 */
export interface Tree {
  prompt: number;
  sequences: number[];
}

/** A pair with its share in the loss of its batch. */
export interface WeightedPair {
  chosen: number;
  rejected: number;
  weight: number;
  row: number;
}

/** What one run of the gradient graph is over. */
export interface MicroBatchPlan {
  /** Each row of tokens holds one or more trees, one after another; they do not see each other. */
  rows: Tree[][];
  pairs: WeightedPair[];
  /** Sequence -> the weight of each of its tokens' likelihood. */
  likelihood: ReadonlyMap<number, number>;
}

/** The numbers of a plan, as the graphs of `training-graph.ts` take them. */
export interface MicroBatch extends WantedTensors {
  tokens: BigInt64Array;
  positions: BigInt64Array;
  mask: Float32Array;
  token_weights: Float32Array;
  sums: Float32Array;
  reference: Float32Array;
  pairs: Float32Array;
  pair_weights: Float32Array;
  /** B, T, R, K, M, C, P. */
  sizes: {
    rows: number;
    length: number;
    going_on: number;
    chunks: number;
    wanted: number;
    sequences: number;
    pairs: number;
  };
  /** For each sequence, in the order of C: where its wanted tokens are in N. */
  spans: { sequence: number; start: number; end: number }[];
}

const UNSEEN = -1e30;

/** Tokens that a tree takes up in its row: the last token of a reply predicts nothing and is left out. */
export function treeLength(data: TrainingData, { prompt, sequences }: Tree): number {
  const replies = sequences.reduce((sum, index) => sum + sequenceAt(data, index).completion.length - 1, 0);
  return promptAt(data, prompt).length + replies;
}

export interface MicroBatchSettings {
  chunks: number;
  /** Rows are filled up to these numbers: see `steady-sums.ts`. */
  least: LeastRows;
  /** Divide a sequence's log-probability by its length. */
  average: boolean;
  /** A factor on every pair's weight. */
  preference_weight: number;
  /** The reference model's log-probability of each sequence of the data set, summed; null where nothing is compared. */
  reference: Float64Array | null;
}

/** Lays a plan out in tensors. */
export function makeMicroBatch(data: TrainingData, plan: MicroBatchPlan, settings: MicroBatchSettings): MicroBatch {
  const length = Math.max(...plan.rows.map((row) => row.reduce((sum, tree) => sum + treeLength(data, tree), 0)));
  const rows = Math.max(plan.rows.length, Math.ceil(settings.least.tokens / length));
  const tokens = new BigInt64Array(rows * length);
  const positions = new BigInt64Array(rows * length);
  const mask = new Float32Array(rows * length * length).fill(UNSEEN);
  const wanted: Prediction[] = [];
  const spans: MicroBatch["spans"] = [];

  plan.rows.forEach((trees, row) => {
    let at = 0;
    /** Writes tokens from `at` on; each sees `seen` (a stretch of the row) and what was written with it before it. */
    const write = (ids: Int32Array, first_position: number, [from, to]: readonly [number, number]): void => {
      for (let i = 0; i < ids.length; i += 1) {
        tokens[row * length + at + i] = BigInt(ids[i] ?? 0);
        positions[row * length + at + i] = BigInt(first_position + i);
        const line = (row * length + at + i) * length;
        mask.fill(0, line + from, line + to);
        mask.fill(0, line + at, line + at + i + 1);
      }
      at += ids.length;
    };
    for (const { prompt, sequences } of trees) {
      const prompt_ids = promptAt(data, prompt);
      const start = at;
      write(prompt_ids, 0, [at, at]);
      const end = at;
      for (const sequence of sequences) {
        const { completion } = sequenceAt(data, sequence);
        spans.push({ sequence, start: wanted.length, end: wanted.length + completion.length });
        completion.forEach((target, index) => {
          wanted.push({ after: row * length + (index === 0 ? end - 1 : at + index - 1), target });
        });
        write(completion.subarray(0, -1), prompt_ids.length, [start, end]);
      }
    }
  });
  const { chunks, least } = settings;
  const { sizes: found, ...tensors } = wantedTokens(wanted, { rows, length, chunks, least });
  const sizes = { rows, length, chunks, ...found, sequences: spans.length, pairs: plan.pairs.length };
  return { tokens, positions, mask, ...tensors, ...lossTensors(plan, settings, spans, sizes), sizes, spans };
}

function lossTensors(
  { pairs, likelihood }: MicroBatchPlan,
  { average, preference_weight, reference }: MicroBatchSettings,
  spans: MicroBatch["spans"],
  { chunks, wanted, sequences }: MicroBatch["sizes"],
) {
  const size = chunks * wanted;
  const token_weights = new Float32Array(size);
  const sums = new Float32Array(sequences * size);
  const before = new Float32Array(sequences);
  const column = new Map<number, number>();
  spans.forEach(({ sequence, start, end }, index) => {
    const share = average ? 1 / (end - start) : 1;
    sums.fill(share, index * size + start, index * size + end);
    before[index] = (reference?.[sequence] ?? 0) * share;
    // A sequence may stand in two trees, where one would have been too long: its likelihood counts once.
    if (!column.has(sequence)) token_weights.fill(likelihood.get(sequence) ?? 0, start, end);
    column.set(sequence, index);
  });
  const signs = new Float32Array(pairs.length * sequences);
  const pair_weights = new Float32Array(pairs.length);
  pairs.forEach(({ chosen, rejected, weight }, pair) => {
    signs[pair * sequences + (column.get(chosen) ?? 0)] = 1;
    signs[pair * sequences + (column.get(rejected) ?? 0)] = -1;
    pair_weights[pair] = weight * preference_weight;
  });
  return { token_weights, sums, reference: before, pairs: signs, pair_weights };
}
