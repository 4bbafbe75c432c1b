import type { FileHandle } from "node:fs/promises";
import { type ByteRange, forEachLine, readLineRange } from "../../lib/line-range.ts";
import type { PlainReader } from "../../preferences/rollouts/plain-rollout.ts";
import {
  type FactOptions,
  plainReader,
  type RolloutFacts,
  RolloutLooker,
  type Unusable,
} from "../../preferences/rollouts/rollout-facts.ts";
import type { RolloutReader } from "../../registry/training.ts";
import { readPlain, readRow } from "./read-row.ts";

/** What is kept of each rollout, as unsigned 32-bit numbers. */
export const FACT = {
  length: 0,
  /** Which of its line's rollouts it is. */
  sub: 1,
  task_hi: 2,
  task_lo: 3,
  question_hi: 4,
  question_lo: 5,
  content_hi: 6,
  content_lo: 7,
  characters: 8,
  rollout: 9,
  /** `TRUNCATED`, and the place of the reason why it is unusable. */
  flags: 10,
} as const;
export const FACT_WIDTH = 11;
/** A rollout without a number of its own. */
export const NO_ROLLOUT = 0xffffffff;
export const TRUNCATED = 0x100;

/** The reasons, by their place from 1. */
export const UNUSABLE: readonly Unusable[] = [
  "errored",
  "failed",
  "masked",
  "no_response",
  "unsupported_item",
  "empty",
  "only_reasoning",
  "no_final_text",
  "empty_prompt",
  "unscored",
];

/** What a part of a file holds. */
export interface Scanned {
  lines: number;
  rollouts: number;
  /** `FACT_WIDTH` numbers a rollout. */
  facts: Uint32Array;
  /** Of each rollout: where its line starts, and its score. */
  places: Float64Array;
  /** Lines by their number in this part, from 1. */
  bad: { line: number; problem: string; isUnfinished: boolean }[];
}

/** Looks at the rollouts of parts of files; no text of theirs is kept. */
export class Scanner {
  readonly #options: FactOptions;
  readonly #looker: RolloutLooker;
  readonly #plain = new Map<RolloutReader, PlainReader | undefined>();
  #memory: Buffer = Buffer.alloc(0);

  constructor(options: FactOptions) {
    this.#options = options;
    this.#looker = new RolloutLooker(options);
  }

  /** At most `max_bad` bad lines and one more are told. */
  async scan(file: FileHandle, range: ByteRange, reader: RolloutReader, max_bad: number): Promise<Scanned> {
    const { bytes, offset, memory } = await readLineRange(file, range, this.#memory);
    this.#memory = memory.length > MEMORY ? Buffer.alloc(0) : memory;
    const table = new FactTable();
    const bad: Scanned["bad"] = [];
    const plain = this.#plainReader(reader);
    const lines = forEachLine(bytes, (line, at, number) => {
      const rollout = readPlain(line, plain, offset + at === 0);
      if (rollout !== undefined) {
        table.add(this.#looker.plainFactsOf(rollout), { offset: offset + at, length: line.length, sub: 0 });
        return;
      }
      const read = readRow(line, reader, offset + at === 0);
      if (read === undefined) return;
      if ("problem" in read) {
        const isUnfinished = offset + at + line.length === range.size;
        if (bad.length <= max_bad) bad.push({ line: number, problem: read.problem, isUnfinished });
        return;
      }
      for (const [sub, rollout] of read.rollouts.entries()) {
        table.add(this.#looker.factsOf(rollout, read.row), { offset: offset + at, length: line.length, sub });
      }
    });
    return { lines, bad, ...table.taken() };
  }

  #plainReader(reader: RolloutReader): PlainReader | undefined {
    if (!this.#plain.has(reader)) this.#plain.set(reader, plainReader(reader, this.#options));
    return this.#plain.get(reader);
  }
}

/** Memory above this is not kept for the next part: a line was very long. */
const MEMORY = 16 << 20;

class FactTable {
  #facts = new Uint32Array(512 * FACT_WIDTH);
  #places = new Float64Array(512 * 2);
  #size = 0;

  add(of: RolloutFacts, line: { offset: number; length: number; sub: number }): void {
    const at = this.#size * FACT_WIDTH;
    if (at + FACT_WIDTH > this.#facts.length) this.#grow();
    const facts = this.#facts;
    facts[at + FACT.length] = line.length;
    facts[at + FACT.sub] = line.sub;
    facts[at + FACT.task_hi] = of.task.hi;
    facts[at + FACT.task_lo] = of.task.lo;
    facts[at + FACT.question_hi] = of.question.hi;
    facts[at + FACT.question_lo] = of.question.lo;
    facts[at + FACT.content_hi] = of.content.hi;
    facts[at + FACT.content_lo] = of.content.lo;
    facts[at + FACT.characters] = of.characters;
    facts[at + FACT.rollout] = isNumber(of.rollout) ? of.rollout : NO_ROLLOUT;
    const reason = of.unusable === undefined ? 0 : UNUSABLE.indexOf(of.unusable) + 1;
    facts[at + FACT.flags] = reason | (of.truncated ? TRUNCATED : 0);
    this.#places[this.#size * 2] = line.offset;
    this.#places[this.#size * 2 + 1] = of.score;
    this.#size += 1;
  }

  taken(): Pick<Scanned, "rollouts" | "facts" | "places"> {
    return {
      rollouts: this.#size,
      facts: this.#facts.subarray(0, this.#size * FACT_WIDTH),
      places: this.#places.subarray(0, this.#size * 2),
    };
  }

  #grow(): void {
    const facts = new Uint32Array(this.#facts.length * 2);
    facts.set(this.#facts);
    this.#facts = facts;
    const places = new Float64Array(this.#places.length * 2);
    places.set(this.#places);
    this.#places = places;
  }
}

function isNumber(rollout: number | undefined): rollout is number {
  return rollout !== undefined && Number.isInteger(rollout) && rollout >= 0 && rollout < NO_ROLLOUT;
}
