import type { Key } from "../../lib/key-table.ts";
import { sameContent } from "../../preferences/content.ts";
import type { StandingFor } from "../../preferences/rollouts/plain-rollout.ts";
import type { ReadPair, SkipCounts } from "../../registry/training.ts";
import type { RolloutPlace } from "./rollout-table.ts";

/** A couple that was chosen, by where its rollouts stand. */
export interface PlacedCouple {
  chosen: RolloutPlace;
  rejected: RolloutPlace;
  /** Equal for equal prompts under equal tools. */
  question: Key;
  chosen_score: number;
  rejected_score: number;
  side: "training" | "validation";
}

/** What is known of each row, as unsigned 32-bit numbers. */
export const ROW = {
  question_hi: 0,
  question_lo: 1,
  chosen_hi: 2,
  chosen_lo: 3,
  rejected_hi: 4,
  rejected_lo: 5,
  example_hi: 6,
  example_lo: 7,
  prompt_characters: 8,
  chosen_characters: 9,
  rejected_characters: 10,
  flags: 11,
} as const;
export const ROW_WIDTH = 12;
export const IN_VALIDATION = 1;
export const ANSWER_IN_PROMPT = 2;

/** What the bytes of rows are put into, for training and for validation. Only growing makes new memory. */
export type RowMemory = [training: ArrayBuffer, validation: ArrayBuffer];

/** Rows of some couples. */
export interface MadeRows {
  rows: number;
  facts: Uint32Array;
  /** Of each row: the scores of its sides. */
  scores: Float64Array;
  training: Uint8Array;
  validation: Uint8Array;
  skipped: SkipCounts;
  /** What rows leave out, and how often. */
  lost: Record<string, number>;
  /** The first couple of which a call of a tool would be dropped unasked. */
  refused: RolloutPlace | undefined;
}

/** What a couple that is a pair leaves out before any format is asked. */
export interface MadePair {
  pair: ReadPair;
  keys: { question: Key; chosen: Key; rejected: Key };
  characters: { prompt: number; chosen: number; rejected: number };
  lost: readonly string[];
  /** Of a pair of plain rollouts: what its texts stand for. */
  texts?: StandingFor;
}

export function newRowMemory(): RowMemory {
  return [new ArrayBuffer(1 << 20), new ArrayBuffer(1 << 16)];
}

/** Notes what is known of the row of a pair, which is the next one. */
export function addFacts(made: MadeRows, { pair, keys, characters }: MadePair, couple: PlacedCouple): void {
  const at = made.rows * ROW_WIDTH;
  const key = (column: number, { hi, lo }: Key) => {
    made.facts[at + column] = hi;
    made.facts[at + column + 1] = lo;
  };
  key(ROW.question_hi, keys.question);
  key(ROW.chosen_hi, keys.chosen);
  key(ROW.rejected_hi, keys.rejected);
  key(ROW.example_hi, couple.chosen.task);
  made.facts[at + ROW.prompt_characters] = characters.prompt;
  made.facts[at + ROW.chosen_characters] = characters.chosen;
  made.facts[at + ROW.rejected_characters] = characters.rejected;
  const isRepeated =
    pair.prompt.at(-1)?.role === "assistant" && sameContent(pair.prompt.slice(-pair.chosen.length), pair.chosen);
  made.facts[at + ROW.flags] = (couple.side === "validation" ? IN_VALIDATION : 0) | (isRepeated ? ANSWER_IN_PROMPT : 0);
  made.scores[made.rows * 2] = couple.chosen_score;
  made.scores[made.rows * 2 + 1] = couple.rejected_score;
  made.rows += 1;
}
