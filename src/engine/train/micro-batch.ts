import type { LeastRows } from "./steady-sums.ts";
import { promptAt, sequenceAt, type TrainingData } from "./training-data.ts";
import { attentionInputs, type Heads, placeTokens } from "./tree-layout.ts";
import { goingOn, type Predictions, selected, wantedInputs } from "./wanted-tokens.ts";

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
  /** Each one a row of tokens. */
  trees: Tree[];
  pairs: WeightedPair[];
  /** Sequence -> the weight of each of its tokens' likelihood. */
  likelihood: ReadonlyMap<number, number>;
}

/** Numbers of an input of a graph. */
export interface Filled {
  data: BigInt64Array | Int32Array | Float32Array;
  shape: readonly number[];
}

/** A plan in numbers. */
export interface MicroBatch {
  /** By their names in the graphs of `training-graph.ts`. */
  inputs: Readonly<Record<string, Filled>>;
  /** N: token log-probabilities that come out. */
  wanted: number;
  /** For each sequence, in the order of C: where its wanted tokens are in N. */
  spans: { sequence: number; start: number; end: number }[];
}

/** Tokens that a tree takes up in its row: the last token of a reply predicts nothing and is left out. */
export function treeLength(data: TrainingData, tree: Tree): number {
  const { prompt, replies } = treeLengths(data, tree);
  return replies.reduce((sum, size) => sum + size, prompt);
}

function treeLengths(data: TrainingData, { prompt, sequences }: Tree) {
  const replies = sequences.map((index) => sequenceAt(data, index).completion.length - 1);
  return { prompt: promptAt(data, prompt).length, replies };
}

export interface MicroBatchSettings {
  chunks: number;
  heads: Heads;
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
  const { chunks, heads, least } = settings;
  const rows = plan.trees.map((tree) => treeLengths(data, tree));
  const longest = Math.max(...plan.trees.map((tree) => treeLength(data, tree)));
  const length = Math.max(longest, Math.ceil(least.tokens / rows.length));
  const { spans, predictions, ...written } = writeTokens(data, plan.trees, { rows: rows.length, length });
  const layout = placeTokens(rows, length, least);
  const going_on = goingOn(predictions, layout, least);
  const { wanted, ...followed } = selected(predictions, going_on, { chunks, least });
  return {
    inputs: {
      ...written,
      ...attentionInputs(layout, heads),
      ...wantedInputs(going_on, heads),
      ...followed,
      ...lossInputs(plan, settings, spans, chunks * wanted),
    },
    wanted: chunks * wanted,
    spans,
  };
}

/** The trees' tokens, each one's position in its own text, and what follows which of them. */
function writeTokens(data: TrainingData, trees: readonly Tree[], { rows, length }: { rows: number; length: number }) {
  const tokens = new Int32Array(rows * length);
  const positions = new BigInt64Array(rows * length);
  const followed = trees.flatMap(({ sequences }) => sequences.map((one) => sequenceAt(data, one).completion.length));
  const count = followed.reduce((sum, size) => sum + size, 0);
  const predictions: Predictions = { after: new Int32Array(count), targets: new Int32Array(count) };
  const spans: MicroBatch["spans"] = [];
  let next = 0;
  trees.forEach(({ prompt, sequences }, row) => {
    let at = row * length;
    const write = (ids: Int32Array, first_position: number): void => {
      tokens.set(ids, at);
      for (let index = 0; index < ids.length; index += 1) positions[at + index] = BigInt(first_position + index);
      at += ids.length;
    };
    const prompt_ids = promptAt(data, prompt);
    write(prompt_ids, 0);
    const last = at - 1;
    for (const sequence of sequences) {
      const { completion } = sequenceAt(data, sequence);
      spans.push({ sequence, start: next, end: next + completion.length });
      predictions.targets.set(completion, next);
      for (let index = 0; index < completion.length; index += 1) {
        predictions.after[next + index] = index === 0 ? last : at + index - 1;
      }
      next += completion.length;
      write(completion.subarray(0, -1), prompt_ids.length);
    }
  });
  const shape = [rows, length];
  return { tokens: { data: tokens, shape }, positions: { data: positions, shape }, predictions, spans };
}

function lossInputs(
  { pairs, likelihood }: MicroBatchPlan,
  { average, preference_weight, reference }: MicroBatchSettings,
  spans: MicroBatch["spans"],
  size: number,
) {
  const sequences = spans.length;
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
  return {
    token_weights: { data: token_weights, shape: [size] },
    sums: { data: sums, shape: [sequences, size] },
    reference: { data: before, shape: [sequences, 1] },
    pairs: { data: signs, shape: [pairs.length, sequences] },
    pair_weights: { data: pair_weights, shape: [pairs.length, 1] },
  };
}
