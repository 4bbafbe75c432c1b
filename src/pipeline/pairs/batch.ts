import { SideFinder, type SplitOptions } from "../../datasets/split.ts";
import { hashFraction } from "../../lib/hash.ts";
import { turnsOf } from "../../preferences/candidates.ts";
import type { UnsplitPair } from "../../records/pair.ts";
import type { RunRecord } from "../../records/run.ts";
import type { DatasetFormat, FormatOptions, TrajectoryBuilder } from "../../registry/training.ts";
import { LineBuffer } from "./lines.ts";
import { PairTexts } from "./text.ts";
import { countRun, noYield, type PairYield } from "./yield.ts";

/** What is known of each pair, as unsigned 32-bit numbers, one after another. */
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
  /** 52 bits of the draw that decides whether `max_pairs` keeps the pair. */
  draw_hi: 12,
  draw_lo: 13,
  /** Which entry of the batch's `lost`, from 1; 0 for a row that leaves nothing out. */
  lost: 14,
} as const;
export const WIDTH = 15;

export const FLAG = {
  has_row: 1,
  own_validation: 2,
  prompt_validation: 4,
  /** The side as which the pair was written. */
  guessed_validation: 8,
} as const;

const BYTES = 1 << 20;

/** The pairs of some runs as lines, and what decides over them together with all others. */
export interface PairBatch {
  size: number;
  /** `WIDTH` numbers a pair. */
  facts: Uint32Array;
  pairs: Uint8Array;
  /** Rows, on the side that their pairs will most likely have. */
  training: Uint8Array;
  validation: Uint8Array;
  /** What rows leave out: each set of names that occurs, once. */
  lost: readonly (readonly string[])[];
  found: PairYield;
}

/** How pairs are made and written. */
export interface BatchOptions extends FormatOptions {
  builder: TrajectoryBuilder;
  format: DatasetFormat;
  split: SplitOptions;
  max_pairs: number | null;
  seed: number;
}

/** Turns runs into batches of lines. Its memory is used again for the next batch: take what `batch` gives before. */
export class PairBatcher {
  readonly #options: BatchOptions;
  readonly #sides: SideFinder;
  readonly #texts = new PairTexts();
  readonly #pairs: LineBuffer;
  readonly #training: LineBuffer;
  readonly #validation: LineBuffer;
  #facts = new Uint32Array(1024 * WIDTH);
  #size = 0;
  #found = noYield();
  #lost: string[][] = [];
  readonly #written = (pair: UnsplitPair) => this.#options.format.prompt(pair, this.#options);

  constructor(options: BatchOptions) {
    this.#options = options;
    this.#sides = new SideFinder(options.split);
    const pairLength = (pair: number, bytes: number) => {
      this.#facts[pair * WIDTH + COLUMNS.pair_bytes] = bytes;
    };
    const rowLength = (pair: number, bytes: number) => {
      this.#facts[pair * WIDTH + COLUMNS.row_bytes] = bytes;
    };
    this.#pairs = new LineBuffer(BYTES, pairLength);
    this.#training = new LineBuffer(BYTES / 2, rowLength);
    this.#validation = new LineBuffer(BYTES / 4, rowLength);
  }

  /** Bytes that the batch holds so far. */
  get bytes(): number {
    return this.#pairs.length + this.#training.length + this.#validation.length;
  }

  /** What was found since the last batch. */
  get found(): PairYield {
    return this.#found;
  }

  /** The pairs of a run, turn by turn. */
  addRun(run: RunRecord): void {
    const { builder } = this.#options;
    const turns = turnsOf(run, builder.step_name, this.#found.skipped);
    countRun(this.#found, run, turns);
    for (const turn of turns) {
      this.nextTurn();
      for (const pair of builder.pairsOf(turn, this.#found.skipped)) this.addPair(pair, turn.source.group);
    }
  }

  /** The next pairs share no prompt and no reply with those before. Only speed depends on it. */
  nextTurn(): void {
    this.#texts.nextTurn();
  }

  /** A pair, and the group of its data-set row. */
  addPair(pair: UnsplitPair, group: string | undefined): void {
    const { format, split } = this.#options;
    const texts = this.#texts;
    const item = { example_id: pair.example_id, group, prompt_hash: texts.hashOf(pair, this.#written) };
    const { prompt, example, own, prompts } = this.#sides.factsOf(item);
    const guess = split.by === "prompt" ? prompts : own;
    const at = this.#roomForFacts();
    const facts = this.#facts;
    this.#pairs.add(texts.pairLine(pair, guess), this.#size);
    const { row, lost } = format.row(pair, this.#options);
    facts[at + COLUMNS.row_bytes] = 0;
    if (row !== null) (guess === "training" ? this.#training : this.#validation).add(texts.rowLine(row), this.#size);

    const asked = texts.questionKeyOf(pair);
    facts[at + COLUMNS.prompt_hi] = asked.hi;
    facts[at + COLUMNS.prompt_lo] = asked.lo;
    const chosen = texts.keyOf(pair.chosen);
    facts[at + COLUMNS.chosen_hi] = chosen.hi;
    facts[at + COLUMNS.chosen_lo] = chosen.lo;
    const rejected = texts.keyOf(pair.rejected);
    facts[at + COLUMNS.rejected_hi] = rejected.hi;
    facts[at + COLUMNS.rejected_lo] = rejected.lo;
    facts[at + COLUMNS.row_prompt_hi] = prompt.hi;
    facts[at + COLUMNS.row_prompt_lo] = prompt.lo;
    facts[at + COLUMNS.example] = example;
    facts[at + COLUMNS.flags] =
      (row === null ? 0 : FLAG.has_row) |
      (own === "validation" ? FLAG.own_validation : 0) |
      (prompts === "validation" ? FLAG.prompt_validation : 0) |
      (guess === "validation" ? FLAG.guessed_validation : 0);
    facts[at + COLUMNS.lost] = lost.length === 0 ? 0 : this.#placeOf(lost);
    if (this.#options.max_pairs !== null) this.#draw(pair.pair_id, at);
    this.#size += 1;
  }

  /** All since the last batch. */
  batch(): PairBatch {
    // Whole lines first: only then are their lengths known.
    const lines = {
      pairs: this.#pairs.bytes(),
      training: this.#training.bytes(),
      validation: this.#validation.bytes(),
    };
    const batch = {
      size: this.#size,
      facts: this.#facts.subarray(0, this.#size * WIDTH),
      ...lines,
      lost: this.#lost,
      found: this.#found,
    };
    this.#size = 0;
    this.#lost = [];
    this.#found = noYield();
    for (const buffer of [this.#pairs, this.#training, this.#validation]) buffer.clear();
    return batch;
  }

  /** Begins the next batch in the memory of one that was taken over, since that of the last one was given away. */
  useMemory([facts, pairs, training, validation]: BatchMemory): void {
    this.#facts = new Uint32Array(facts);
    this.#pairs.useMemory(pairs);
    this.#training.useMemory(training);
    this.#validation.useMemory(validation);
  }

  #placeOf(lost: string[]): number {
    const known = this.#lost.findIndex((names) => names.length === lost.length && names.every((n, i) => n === lost[i]));
    return known === -1 ? this.#lost.push(lost) : known + 1;
  }

  #roomForFacts(): number {
    const at = this.#size * WIDTH;
    if (at + WIDTH > this.#facts.length) {
      const bigger = new Uint32Array(this.#facts.length * 2);
      bigger.set(this.#facts);
      this.#facts = bigger;
    }
    return at;
  }

  #draw(pair_id: string, at: number): void {
    const draw = hashFraction("max_pairs", this.#options.seed, pair_id) * 2 ** 26;
    this.#facts[at + COLUMNS.draw_hi] = Math.floor(draw);
    this.#facts[at + COLUMNS.draw_lo] = (draw - Math.floor(draw)) * 2 ** 26;
  }
}

/** The memory of a batch's facts and lines, for as long as they are of use to somebody else. */
export type BatchMemory = [facts: ArrayBuffer, pairs: ArrayBuffer, training: ArrayBuffer, validation: ArrayBuffer];

export function newMemory(): BatchMemory {
  return [
    new ArrayBuffer(1024 * WIDTH * 4),
    new ArrayBuffer(BYTES),
    new ArrayBuffer(BYTES / 2),
    new ArrayBuffer(BYTES / 4),
  ];
}

export function memoryOf({ facts, pairs, training, validation }: PairBatch): BatchMemory {
  return [facts, pairs, training, validation].map(({ buffer }) => buffer) as BatchMemory;
}
