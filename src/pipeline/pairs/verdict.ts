import { type Side, type SplitBy, type SplitOptions, SplitSurvey } from "../../datasets/split.ts";
import { Column } from "../../lib/column.ts";
import { KeyTable } from "../../lib/key-table.ts";
import type { SkipCounts } from "../../registry/training.ts";
import { COLUMNS, FLAG, type PairBatch, WIDTH } from "./entries.ts";

const FORWARD = 1;
const BACKWARD = 2;
const BOTH = 3;

/** What is decided over all entries together, rather than over one turn. */
export interface VerdictOptions {
  contradictions: "drop" | "keep";
  deduplicate_pairs: boolean;
  /** null is all of them. */
  max_pairs: number | null;
  split: SplitOptions;
}

/** What became of all entries. */
export interface Verdict {
  by: SplitBy;
  /** Where the entry of that number goes; `undefined` when it is left out. */
  sideOf(entry: number): Side | undefined;
  /** Pairs and rows left out, by reason. */
  skipped: SkipCounts;
  pairs: number;
  /** Rows a side. */
  training: number;
  validation: number;
  /** Rows that should be there, and that the format cannot hold. */
  unwritable: number;
  moved_to_training: number;
  /** What rows of entries that stay leave out, by what it is. */
  lost_fields: Record<string, number>;
  /** Whether something is not as it was guessed when it was written. */
  revised: boolean;
  warnings: string[];
}

/**
 * Looks at every entry once, in order, and then says which of them stay and on which side. Only numbers are kept: about
 * 60 bytes an entry.
 */
export class VerdictSurvey {
  readonly #options: VerdictOptions;
  readonly #split: SplitSurvey;
  /** A prompt with two replies, whichever was preferred. */
  readonly #couples = new KeyTable();
  readonly #directions = Column.uint8();
  readonly #coupleOf = Column.uint32();
  readonly #flags = Column.uint8();
  readonly #draws = Column.float64();
  /** Of each entry: which of `#losses`, from 1. Takes no memory while nothing is lost. */
  readonly #lost = Column.uint32();
  readonly #losses: (readonly string[])[] = [];
  readonly #lossPlaces = new Map<string, number>();
  #size = 0;
  readonly #duplicates: SkipCounts = {};

  constructor(options: VerdictOptions) {
    this.#options = options;
    this.#split = new SplitSurvey(options.split.by);
  }

  /** Takes an entry of a batch as the next one; false when it was there before and is to be left out. */
  add({ facts, lost }: PairBatch, place: number): boolean {
    const at = place * WIDTH;
    const chosenHi = facts[at + COLUMNS.chosen_hi] ?? 0;
    const chosenLo = facts[at + COLUMNS.chosen_lo] ?? 0;
    const rejectedHi = facts[at + COLUMNS.rejected_hi] ?? 0;
    const rejectedLo = facts[at + COLUMNS.rejected_lo] ?? 0;
    // Sums, so that the two replies give the same key in either order. A row of its own has one reply, and no opposite.
    const hi = Math.imul(facts[at + COLUMNS.prompt_hi] ?? 0, 0x9e3779b1) + chosenHi + rejectedHi;
    const lo = Math.imul(facts[at + COLUMNS.prompt_lo] ?? 0, 0x85ebca6b) + chosenLo + rejectedLo;
    const couple = this.#couples.add(hi, lo);
    const known = this.#directions.get(couple);
    const direction = (chosenHi !== rejectedHi ? chosenHi > rejectedHi : chosenLo > rejectedLo) ? FORWARD : BACKWARD;
    if ((known & direction) !== 0 && this.#options.deduplicate_pairs) {
      const reason = ((facts[at + COLUMNS.flags] ?? 0) & FLAG.has_pair) === 0 ? "duplicate_row" : "duplicate";
      this.#duplicates[reason] = (this.#duplicates[reason] ?? 0) + 1;
      return false;
    }
    this.#directions.set(couple, known | direction);
    this.#keep(facts, at, couple);
    const names = lost[(facts[at + COLUMNS.lost] ?? 0) - 1];
    if (names !== undefined) this.#lost.set(this.#size - 1, this.#lossPlace(names));
    return true;
  }

  #keep(facts: Uint32Array, at: number, couple: number): void {
    const entry = this.#size;
    this.#size += 1;
    this.#coupleOf.set(entry, couple);
    const flags = facts[at + COLUMNS.flags] ?? 0;
    this.#flags.set(entry, flags);
    this.#split.add(
      facts[at + COLUMNS.row_prompt_hi] ?? 0,
      facts[at + COLUMNS.row_prompt_lo] ?? 0,
      facts[at + COLUMNS.example] ?? 0,
      (flags & FLAG.own_validation) === 0 ? "training" : "validation",
      (flags & FLAG.prompt_validation) === 0 ? "training" : "validation",
    );
    if (this.#options.max_pairs === null) return;
    this.#draws.set(entry, (facts[at + COLUMNS.draw_hi] ?? 0) * 2 ** 26 + (facts[at + COLUMNS.draw_lo] ?? 0));
  }

  #lossPlace(names: readonly string[]): number {
    const key = names.join();
    const known = this.#lossPlaces.get(key) ?? this.#losses.push(names);
    this.#lossPlaces.set(key, known);
    return known;
  }

  /** On which side an entry was written at first, and what there is of it. */
  guessOf(entry: number): { side: Side; hasPair: boolean; hasRow: boolean } {
    const side = this.#has(entry, FLAG.guessed_validation) ? "validation" : "training";
    return { side, hasPair: this.#has(entry, FLAG.has_pair), hasRow: this.#has(entry, FLAG.has_row) };
  }

  #has(entry: number, flag: number): boolean {
    return (this.#flags.get(entry) & flag) !== 0;
  }

  get size(): number {
    return this.#size;
  }

  decide(): Verdict {
    const skipped = { ...this.#duplicates };
    const left = this.#leftOut(skipped);
    const split = this.#split.decide();
    const warnings: string[] = [];
    const count = (allTraining: boolean) => {
      const counts = { pairs: 0, training: 0, validation: 0, unwritable: 0, moved_to_training: 0, revised: false };
      for (let entry = 0; entry < this.#size; entry += 1) {
        if (left[entry] === 1) {
          counts.revised = true;
          continue;
        }
        const guess = this.guessOf(entry);
        if (guess.hasPair) counts.pairs += 1;
        if (this.#has(entry, FLAG.unwritable_row)) counts.unwritable += 1;
        const { side, moved } = split.sideOf(entry);
        const final = allTraining ? "training" : side;
        if (final !== guess.side) counts.revised = true;
        if (!guess.hasRow) continue;
        counts[final] += 1;
        if (moved || final !== side) counts.moved_to_training += 1;
      }
      return counts;
    };
    let counts = count(false);
    // A training set must never be empty while there are rows: a few pairs may all have hashes of the other side.
    const allTraining = counts.training === 0 && counts.validation > 0;
    if (allTraining) {
      warnings.push(
        `all ${counts.validation} rows are of keys of the validation side; they are for training, since there is nothing else, and validation is empty. These examples would be validation in a larger run: do not measure by one what was trained on this`,
      );
      counts = count(true);
    } else if (counts.validation === 0 && counts.training > 0 && this.#options.split.validation > 0) {
      warnings.push(
        `no row is for validation: ${counts.training} training rows are too few or too much alike to split${movedNote(counts.moved_to_training)}`,
      );
    }
    return {
      by: split.by,
      ...counts,
      lost_fields: this.#lostOf(left),
      skipped,
      warnings,
      sideOf: (entry) => (left[entry] === 1 ? undefined : allTraining ? "training" : split.sideOf(entry).side),
    };
  }

  /** What the rows of entries that stay leave out, and how often. */
  #lostOf(left: Uint8Array): Record<string, number> {
    const times = this.#losses.map(() => 0);
    for (let entry = 0; times.length > 0 && entry < this.#size; entry += 1) {
      const loss = this.#lost.get(entry) - 1;
      if (left[entry] === 0 && loss >= 0) times[loss] = (times[loss] ?? 0) + 1;
    }
    const lost_fields: Record<string, number> = {};
    for (const [loss, names] of this.#losses.entries()) {
      for (const name of times[loss] === 0 ? [] : names) {
        lost_fields[name] = (lost_fields[name] ?? 0) + (times[loss] ?? 0);
      }
    }
    return lost_fields;
  }

  /** 1 for each entry that is left out for what other entries are. */
  #leftOut(skipped: SkipCounts): Uint8Array {
    const left = new Uint8Array(this.#size);
    if (this.#options.contradictions === "drop") {
      let dropped = 0;
      for (let entry = 0; entry < this.#size; entry += 1) {
        if (this.#directions.get(this.#coupleOf.get(entry)) !== BOTH) continue;
        left[entry] = 1;
        dropped += 1;
      }
      if (dropped > 0) skipped.contradiction = dropped;
    }
    this.#sample("over_max_pairs", (entry) => this.#has(entry, FLAG.has_pair), left, skipped);
    const isOwnRow = (entry: number) => this.#has(entry, FLAG.has_row) && !this.#has(entry, FLAG.has_pair);
    this.#sample("over_max_rows", isOwnRow, left, skipped);
    return left;
  }

  /** Of the entries of a kind that are not left out yet, keeps the `max_pairs` with the smallest draws, equal ones in their order. */
  #sample(reason: string, isOfKind: (entry: number) => boolean, left: Uint8Array, skipped: SkipCounts): void {
    const max = this.#options.max_pairs;
    if (max === null) return;
    const draws = new Float64Array(this.#size);
    let staying = 0;
    for (let entry = 0; entry < this.#size; entry += 1) {
      if (left[entry] === 0 && isOfKind(entry)) draws[staying++] = this.#draws.get(entry);
    }
    if (staying <= max) return;
    skipped[reason] = staying - max;
    const sorted = draws.subarray(0, staying).sort();
    const limit = sorted[max - 1] ?? 0;
    let atLimit = max - sorted.indexOf(limit);
    for (let entry = 0; entry < this.#size; entry += 1) {
      if (left[entry] === 1 || !isOfKind(entry)) continue;
      const draw = this.#draws.get(entry);
      if (draw > limit || (draw === limit && atLimit-- <= 0)) left[entry] = 1;
    }
  }
}

function movedNote(moved: number): string {
  if (moved === 0) return "";
  return `; ${moved} of them share a prompt with training, and these examples would be validation in a larger run`;
}
