import { createHash } from "node:crypto";
/** A prompt and one reply to it, as token ids. Equal ones of a data set are one. */
export interface Sequence {
  /** Index of its prompt. */
  prompt: number;
  completion: Int32Array;
}

/** Two sequences of one prompt. */
export interface Pair {
  chosen: number;
  rejected: number;
  /** Line of the data-set file, from 1, for errors. */
  row: number;
}

/** A reply to learn by likelihood alone. */
export interface Target {
  sequence: number;
  row: number;
}

/** A data set in tokens. Equal prompts are one prompt, and equal replies to it one sequence: none is computed twice. */
export interface TrainingData {
  prompts: Int32Array[];
  sequences: Sequence[];
  pairs: Pair[];
  targets: Target[];
}

/** Puts rows into a data set; `pair` and `target` give back nothing, they share what is equal. */
export function trainingDataBuilder() {
  const data: TrainingData = { prompts: [], sequences: [], pairs: [], targets: [] };
  const prompts = new Map<string, number>();
  const sequences = new Map<string, number>();

  function promptOf(ids: readonly number[]): number {
    return indexOf(prompts, keyOf(ids), () => data.prompts.push(Int32Array.from(ids)) - 1);
  }
  function sequenceOf(prompt: number, ids: readonly number[]): number {
    const add = () => data.sequences.push({ prompt, completion: Int32Array.from(ids) }) - 1;
    return indexOf(sequences, `${prompt}:${keyOf(ids)}`, add);
  }

  return {
    data,
    pair(row: number, prompt_ids: readonly number[], chosen: readonly number[], rejected: readonly number[]): void {
      const prompt = promptOf(prompt_ids);
      data.pairs.push({ row, chosen: sequenceOf(prompt, chosen), rejected: sequenceOf(prompt, rejected) });
    },
    target(row: number, prompt_ids: readonly number[], completion: readonly number[]): void {
      data.targets.push({ row, sequence: sequenceOf(promptOf(prompt_ids), completion) });
    },
  };
}

function indexOf(known: Map<string, number>, key: string, add: () => number): number {
  const index = known.get(key) ?? add();
  known.set(key, index);
  return index;
}

/** The bytes of token ids as characters: a key that no other list of ids has. */
function keyOf(ids: readonly number[]): string {
  return Buffer.from(Int32Array.from(ids).buffer).toString("latin1");
}

/** Tokens of a sequence with its prompt. */
export function lengthOf(data: TrainingData, sequence: number): number {
  const { prompt, completion } = sequenceAt(data, sequence);
  return promptAt(data, prompt).length + completion.length;
}

export function sequenceAt({ sequences }: TrainingData, index: number): Sequence {
  const sequence = sequences[index];
  if (sequence === undefined) throw new RangeError(`there is no sequence ${index} of ${sequences.length}`);
  return sequence;
}

export function promptAt({ prompts }: TrainingData, index: number): Int32Array {
  const prompt = prompts[index];
  if (prompt === undefined) throw new RangeError(`there is no prompt ${index} of ${prompts.length}`);
  return prompt;
}

/** A hash of everything that is in a data set, by the bytes of its ids. */
export function hashOfData({ prompts, sequences, pairs, targets }: TrainingData): string {
  const digest = createHash("sha256");
  digest.update([prompts, sequences, pairs, targets].map(({ length }) => length).join());
  const add = (ids: Int32Array) => digest.update(Int32Array.of(ids.length)).update(ids);
  for (const ids of prompts) add(ids);
  for (const { prompt, completion } of sequences) {
    add(Int32Array.of(prompt));
    add(completion);
  }
  for (const { chosen, rejected } of pairs) add(Int32Array.of(chosen, rejected));
  for (const { sequence } of targets) add(Int32Array.of(sequence));
  return digest.digest("hex");
}
