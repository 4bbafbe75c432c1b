import { type Side, SideFinder, type SplitFacts, type SplitOptions } from "../../datasets/split.ts";
import { hashFraction } from "../../lib/hash.ts";
import type { Key } from "../../lib/key-table.ts";
import { quickHash } from "../../lib/quick-hash.ts";
import { turnsOf } from "../../preferences/candidates.ts";
import { contentOf } from "../../preferences/content.ts";
import type { CandidateRecord, CandidateSource } from "../../records/candidate.ts";
import type { UnsplitPair } from "../../records/pair.ts";
import type { RunRecord } from "../../records/run.ts";
import type { DatasetFormat, FormatOptions, ReadPair, TrajectoryBuilder } from "../../registry/training.ts";
import { EntryFacts, FLAG, type PairBatch, WIDTH } from "./entries.ts";
import { LineBuffer } from "./lines.ts";
import { PlainPairs } from "./plain-pairs.ts";
import { PairTexts } from "./text.ts";
import { countRun, noYield, type PairYield } from "./yield.ts";

const BYTES = 1 << 20;
const NO_KEY: Key = { hi: 0, lo: 0 };

/** How pairs are made and written. */
export interface BatchOptions extends FormatOptions {
  builder: TrajectoryBuilder;
  format: DatasetFormat;
  /** `sft`: rows hold the best reply of each group, and pairs have none. */
  training_type: "dpo" | "sft";
  split: SplitOptions;
  max_pairs: number | null;
  seed: number;
}

/** The example that something comes from, and the group of its data-set row. */
export type Origin = Pick<CandidateSource, "example_id" | "group">;

/** Turns runs into batches of lines. Its memory is used again for the next batch: take what `batch` gives before. */
export class PairBatcher {
  readonly #options: BatchOptions;
  readonly #sides: SideFinder;
  readonly #plain: PlainPairs | undefined;
  readonly #texts = new PairTexts();
  readonly #facts = new EntryFacts();
  readonly #pairs: LineBuffer;
  readonly #training: LineBuffer;
  readonly #validation: LineBuffer;
  #found = noYield();
  #lost: string[][] = [];
  readonly #written = (pair: ReadPair) => this.#options.format.prompt(pair, this.#options);

  constructor(options: BatchOptions) {
    this.#options = options;
    this.#sides = new SideFinder(options.split);
    const pairLength = (entry: number, bytes: number) => this.#facts.setBytes(entry, "pair_bytes", bytes);
    const rowLength = (entry: number, bytes: number) => this.#facts.setBytes(entry, "row_bytes", bytes);
    this.#pairs = new LineBuffer(BYTES, pairLength);
    this.#training = new LineBuffer(BYTES / 2, rowLength);
    this.#validation = new LineBuffer(BYTES / 4, rowLength);
    this.#plain = PlainPairs.for(options, this.#sides, {
      facts: this.#facts,
      pairs: this.#pairs,
      rows: (side) => this.#rows(side),
      lost: (names) => this.#placeOf(names),
    });
  }

  /** Bytes that the batch holds so far. */
  get bytes(): number {
    return this.#pairs.length + this.#training.length + this.#validation.length;
  }

  /** What was found since the last batch. */
  get found(): PairYield {
    return this.#found;
  }

  /** All of the run of a line, if it is a plain one; else false. */
  addPlain(line: Buffer): boolean {
    return this.#plain?.add(line, this.#found) ?? false;
  }

  /** All of a run, turn by turn. */
  addRun(run: RunRecord): void {
    const { builder } = this.#options;
    const turns = turnsOf(run, builder.step_name, this.#found.skipped);
    countRun(this.#found, run, turns);
    for (const turn of turns) {
      this.nextTurn();
      for (const pair of builder.pairsOf(turn, this.#found.skipped)) this.addPair(pair, turn.source.group);
      if (this.#options.training_type === "sft") this.addBest(builder.bestOf?.(turn), turn.source);
    }
  }

  /** What comes next shares no prompt and no reply with what came before. Only speed depends on it. */
  nextTurn(): void {
    this.#texts.nextTurn();
  }

  /** A pair, and the group of its data-set row. */
  addPair(pair: UnsplitPair, group: string | undefined): void {
    const { format, training_type, max_pairs, seed } = this.#options;
    const texts = this.#texts;
    const prompt_hash = texts.hashOf(pair, this.#written);
    const split = this.#sides.factsOf({ example_id: pair.example_id, group, prompt_hash });
    const side = this.#guess(split);
    const { row, lost } = training_type === "dpo" ? format.row(pair, this.#options) : NO_ROW;
    const hasRow = row !== null ? FLAG.has_row : training_type === "dpo" ? FLAG.unwritable_row : 0;
    const entry = this.#facts.add({
      prompt: texts.questionKeyOf(pair),
      chosen: texts.keyOf(pair.chosen),
      rejected: texts.keyOf(pair.rejected),
      split,
      flags: FLAG.has_pair | hasRow | guessFlag(side),
      lost: this.#placeOf(lost),
    });
    if (max_pairs !== null) this.#facts.setDraw(entry, hashFraction("max_pairs", seed, pair.pair_id));
    this.#pairs.add(texts.pairLine(pair, side), entry);
    if (row !== null) this.#rows(side).add(texts.rowLine(row), entry);
  }

  /** The best reply of a group of candidates, as a row of its own; `undefined` when it has none. */
  addBest(best: CandidateRecord | undefined, { example_id, group }: Origin): void {
    const { format, max_pairs, seed } = this.#options;
    if (best === undefined) {
      const { skipped } = this.#found;
      skipped.no_completion = (skipped.no_completion ?? 0) + 1;
      return;
    }
    const { prompt, completion, tools } = best;
    const prompt_hash = this.#texts.hashOf({ prompt, chosen: completion, rejected: [], tools }, this.#written);
    const split = this.#sides.factsOf({ example_id, group, prompt_hash });
    const side = this.#guess(split);
    const { row, lost } = format.completionRow?.({ prompt, completion, tools }, this.#options) ?? NO_ROW;
    const line = row === null ? undefined : this.#texts.rowLine(row);
    // Rows are equal when they are written alike: what a row does not hold tells nobody that there are two.
    const said = line ?? contentOf(completion);
    const entry = this.#facts.add({
      prompt: split.prompt,
      chosen: quickHash(said),
      rejected: NO_KEY,
      split,
      flags: (line === undefined ? FLAG.unwritable_row : FLAG.has_row) | guessFlag(side),
      lost: this.#placeOf(lost),
    });
    if (max_pairs !== null) this.#facts.setDraw(entry, hashFraction("max_pairs", seed, prompt_hash, said));
    if (line !== undefined) this.#rows(side).add(line, entry);
  }

  /** All since the last batch. */
  batch(): PairBatch {
    // Whole lines first: only then are their lengths known.
    const lines = {
      pairs: this.#pairs.bytes(),
      training: this.#training.bytes(),
      validation: this.#validation.bytes(),
    };
    const { size } = this.#facts;
    const batch = { size, facts: this.#facts.numbers(), ...lines, lost: this.#lost, found: this.#found };
    this.#facts.clear();
    this.#lost = [];
    this.#found = noYield();
    for (const buffer of [this.#pairs, this.#training, this.#validation]) buffer.clear();
    return batch;
  }

  /** Begins the next batch in the memory of one that was taken over, since that of the last one was given away. */
  useMemory([facts, pairs, training, validation]: BatchMemory): void {
    this.#facts.useMemory(facts);
    this.#pairs.useMemory(pairs);
    this.#training.useMemory(training);
    this.#validation.useMemory(validation);
  }

  /** The side that something most likely has. */
  #guess({ own, prompts }: SplitFacts): Side {
    return this.#options.split.by === "prompt" ? prompts : own;
  }

  #rows(side: Side): LineBuffer {
    return side === "training" ? this.#training : this.#validation;
  }

  #placeOf(lost: string[]): number {
    if (lost.length === 0) return 0;
    const known = this.#lost.findIndex((names) => names.length === lost.length && names.every((n, i) => n === lost[i]));
    return known === -1 ? this.#lost.push(lost) : known + 1;
  }
}

const NO_ROW: ReturnType<DatasetFormat["row"]> = { row: null, lost: [] };

function guessFlag(side: Side): number {
  return side === "validation" ? FLAG.guessed_validation : 0;
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
