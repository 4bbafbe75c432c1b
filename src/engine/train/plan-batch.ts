import { type MicroBatchPlan, type Tree, treeLength, type WeightedPair } from "./micro-batch.ts";
import { promptAt, sequenceAt, type TrainingData } from "./training-data.ts";

/** What one optimiser step is over, before it is cut into pieces that fit in memory. */
export interface Batch {
  pairs: WeightedPair[];
  /** Sequence -> the weight of each of its tokens' likelihood. */
  likelihood: ReadonlyMap<number, number>;
}

export interface PlanSettings {
  /** Tokens, padding included, that one run of the graph may be over. */
  max_tokens: number;
  /** The model's, which decides how much of a step attention is. */
  hidden_size: number;
}

interface Piece {
  tree: Tree;
  length: number;
  pairs: WeightedPair[];
}

/**
 * Cuts a batch into micro-batches. Pairs of one prompt stand in one tree as long as it fits; trees of like length stand
 * together, so that little is padding. The order is the same for the same batch.
 */
export function planMicroBatches(data: TrainingData, batch: Batch, settings: PlanSettings): MicroBatchPlan[] {
  return planLanes(data, batch, 1, settings).flat();
}

/**
 * The same for lanes that are computed at the same time, each of which gets about the same number of tokens and its share of
 * `max_tokens`, but never less than the longest tree.
 */
export function planLanes(data: TrainingData, batch: Batch, lanes: number, settings: PlanSettings): MicroBatchPlan[][] {
  const pieces = treesOf(data, batch, settings);
  pieces.sort((a, b) => b.length - a.length);
  const likelihood = new Map(batch.likelihood);
  const room = Math.max(settings.max_tokens / lanes, pieces[0]?.length ?? 0);
  return dealt(pieces, lanes).map((own) => planned(own, likelihood, room));
}

/** Dealt out to and fro, so that no lane always gets the longer one. */
function dealt(pieces: readonly Piece[], lanes: number): Piece[][] {
  const hands = Array.from({ length: lanes }, (): Piece[] => []);
  for (const [index, piece] of pieces.entries()) {
    const place = index % (2 * lanes);
    hands[place < lanes ? place : 2 * lanes - 1 - place]?.push(piece);
  }
  return hands;
}

function planned(pieces: readonly Piece[], likelihood: Map<number, number>, max_tokens: number): MicroBatchPlan[] {
  const plans: MicroBatchPlan[] = [];
  let open: Piece[] = [];
  const close = () => {
    if (open.length > 0) plans.push(planOf(open, likelihood));
    open = [];
  };
  for (const piece of pieces) {
    const longest = open[0]?.length ?? piece.length;
    if ((open.length + 1) * longest > max_tokens) close();
    open.push(piece);
  }
  close();
  return plans;
}

/** Takes from `likelihood` what stands in these pieces: a sequence of two trees counts in the first one only. */
function planOf(pieces: readonly Piece[], likelihood: Map<number, number>): MicroBatchPlan {
  const taken = new Map<number, number>();
  for (const sequence of pieces.flatMap(({ tree }) => tree.sequences)) {
    const weight = likelihood.get(sequence);
    if (weight !== undefined) taken.set(sequence, weight);
    likelihood.delete(sequence);
  }
  return {
    trees: pieces.map(({ tree }) => tree),
    pairs: pieces.flatMap(({ pairs }) => pairs),
    likelihood: taken,
  };
}

/**
 * Tokens that a tree of a prompt grows to at most, however many replies there are. Where these are too unlike each other to be
 * computed apart, attention is over every pair of the tree's tokens: beyond a few times the prompt's length it costs more to look
 * past the other replies than to compute the prompt again, unless attention is a small part of a step, as it is below twice the
 * hidden size.
 */
export function treeRoom(prompt_length: number, hidden_size: number): number {
  return Math.max(4 * prompt_length + 128, 2 * hidden_size);
}

/** One tree a prompt; another one for the same prompt where it would grow longer than what fits, or than what pays. */
function treesOf(data: TrainingData, { pairs, likelihood }: Batch, { max_tokens, hidden_size }: PlanSettings): Piece[] {
  const pieces: Piece[] = [];
  const open = new Map<number, Piece>();
  const place = (wanted: readonly number[]): Piece => {
    const [first = 0] = wanted;
    const { prompt } = sequenceAt(data, first);
    const piece = open.get(prompt);
    const missing = wanted.filter((sequence) => !piece?.tree.sequences.includes(sequence));
    const room = Math.min(max_tokens, treeRoom(promptAt(data, prompt).length, hidden_size));
    const more = missing.reduce((sum, sequence) => sum + sequenceAt(data, sequence).completion.length - 1, 0);
    if (piece !== undefined && (missing.length === 0 || piece.length + more <= room)) {
      piece.tree.sequences.push(...missing);
      piece.length += more;
      return piece;
    }
    const tree = { prompt, sequences: [...new Set(wanted)] };
    const made = { tree, length: treeLength(data, tree), pairs: [] };
    pieces.push(made);
    open.set(prompt, made);
    return made;
  };
  for (const pair of pairs) place([pair.chosen, pair.rejected]).pairs.push(pair);
  const placed = new Set(pieces.flatMap(({ tree }) => tree.sequences));
  for (const sequence of likelihood.keys()) if (!placed.has(sequence)) place([sequence]);
  return pieces;
}
