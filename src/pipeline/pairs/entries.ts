import type { SplitFacts } from "../../datasets/split.ts";
import type { Key } from "../../lib/key-table.ts";
import type { PairYield } from "./yield.ts";

/** What is known of each entry, as unsigned 32-bit numbers, one after another. */
export const COLUMNS = {
  prompt_hi: 0,
  prompt_lo: 1,
  chosen_hi: 2,
  chosen_lo: 3,
  rejected_hi: 4,
  rejected_lo: 5,
  /** The prompt as a row holds it. */
  row_prompt_hi: 6,
  row_prompt_lo: 7,
  example: 8,
  flags: 9,
  pair_bytes: 10,
  row_bytes: 11,
  /** 52 bits of the draw that decides whether `max_pairs` keeps the entry. */
  draw_hi: 12,
  draw_lo: 13,
  /** Which item of the batch's `lost`, from 1; 0 for a row that leaves nothing out. */
  lost: 14,
} as const;
export const WIDTH = 15;

export const FLAG = {
  has_row: 1,
  own_validation: 2,
  prompt_validation: 4,
  /** The side as which the entry was written. */
  guessed_validation: 8,
  has_pair: 16,
  /** There should be a row, and the format cannot hold it. */
  unwritable_row: 32,
} as const;

/**
 * The pairs of some runs as lines, and what decides over them together with all others. An entry is a pair and its row;
 * for supervised fine-tuning it is a pair without one, or a row of its own.
 */
export interface PairBatch {
  /** How many entries. */
  size: number;
  /** `WIDTH` numbers an entry. */
  facts: Uint32Array;
  pairs: Uint8Array;
  /** Rows, on the side that they will most likely have. */
  training: Uint8Array;
  validation: Uint8Array;
  /** What rows leave out: each set of names that occurs, once. */
  lost: readonly (readonly string[])[];
  found: PairYield;
}

/** What decides over an entry: keys that are equal for what is equal. A row of its own has nothing that it rejects. */
export interface Entry {
  prompt: Key;
  chosen: Key;
  rejected: Key;
  split: SplitFacts;
  /** Of `FLAG`, those that the split does not say. */
  flags: number;
  lost: number;
}

/** The facts of a batch's entries, in memory that is used again and again. */
export class EntryFacts {
  #numbers = new Uint32Array(1024 * WIDTH);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Takes the next entry, of no bytes so far, and gives its number. */
  add({ prompt, chosen, rejected, split, flags, lost }: Entry): number {
    const at = this.#room();
    const numbers = this.#numbers;
    numbers[at + COLUMNS.prompt_hi] = prompt.hi;
    numbers[at + COLUMNS.prompt_lo] = prompt.lo;
    numbers[at + COLUMNS.chosen_hi] = chosen.hi;
    numbers[at + COLUMNS.chosen_lo] = chosen.lo;
    numbers[at + COLUMNS.rejected_hi] = rejected.hi;
    numbers[at + COLUMNS.rejected_lo] = rejected.lo;
    numbers[at + COLUMNS.row_prompt_hi] = split.prompt.hi;
    numbers[at + COLUMNS.row_prompt_lo] = split.prompt.lo;
    numbers[at + COLUMNS.example] = split.example;
    numbers[at + COLUMNS.flags] =
      flags |
      (split.own === "validation" ? FLAG.own_validation : 0) |
      (split.prompts === "validation" ? FLAG.prompt_validation : 0);
    numbers[at + COLUMNS.pair_bytes] = 0;
    numbers[at + COLUMNS.row_bytes] = 0;
    numbers[at + COLUMNS.lost] = lost;
    this.#size += 1;
    return this.#size - 1;
  }

  /** How long an entry's line is, once that is known. */
  setBytes(entry: number, column: "pair_bytes" | "row_bytes", bytes: number): void {
    this.#numbers[entry * WIDTH + COLUMNS[column]] = bytes;
  }

  /** A number from 0 to below 1. */
  setDraw(entry: number, fraction: number): void {
    const at = entry * WIDTH;
    const draw = fraction * 2 ** 26;
    this.#numbers[at + COLUMNS.draw_hi] = Math.floor(draw);
    this.#numbers[at + COLUMNS.draw_lo] = (draw - Math.floor(draw)) * 2 ** 26;
  }

  /** All entries; a view, good until the next change. */
  numbers(): Uint32Array<ArrayBuffer> {
    return this.#numbers.subarray(0, this.#size * WIDTH);
  }

  clear(): void {
    this.#size = 0;
  }

  /** Begins anew in other memory, when that of `numbers` was given away. */
  useMemory(memory: ArrayBuffer): void {
    this.#numbers = new Uint32Array(memory);
    this.#size = 0;
  }

  #room(): number {
    const at = this.#size * WIDTH;
    if (at + WIDTH > this.#numbers.length) {
      const bigger = new Uint32Array(this.#numbers.length * 2);
      bigger.set(this.#numbers);
      this.#numbers = bigger;
    }
    return at;
  }
}
