import { readSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { PairwrightError } from "../../lib/errors.ts";
import { Recent } from "../../lib/recent.ts";
import type { PlainReader, PlainRollout } from "../../preferences/rollouts/plain-rollout.ts";
import { type FactOptions, plainReader } from "../../preferences/rollouts/rollout-facts.ts";
import type { RolloutRecord } from "../../records/rollout.ts";
import type { RolloutReader } from "../../registry/training.ts";
import { MAX_PLAIN, readPlain, readRow } from "./read-row.ts";
import type { RolloutPlace } from "./rollout-table.ts";

/** A file of rollouts, open. */
export interface OpenSource {
  name: string;
  file: FileHandle;
  reader: RolloutReader;
  reader_name: string;
}

/** A rollout, and the row that it stands in. */
export interface FoundRollout {
  row: unknown;
  rollout: RolloutRecord;
}

/** A line that was read again, in memory of its own, and the plain rollout that it is, if it is one. */
interface PlainLine {
  file: number;
  offset: number;
  memory: Buffer;
  rollout: PlainRollout | undefined;
}

/** So many are remembered. */
const PLAIN_LINES = 32;
const EMPTY: Buffer = Buffer.alloc(0);

/** Reads rollouts again where they stand; the last few are remembered. */
export class RolloutLines {
  readonly #options: FactOptions;
  readonly #sources: readonly OpenSource[];
  readonly #known = new Recent<string, { row: unknown; rollouts: RolloutRecord[] }>();
  readonly #plainLines: PlainLine[] = [];
  #oldest = 0;
  readonly #plain = new Map<RolloutReader, PlainReader | undefined>();
  #line = EMPTY;

  constructor(options: FactOptions, sources: readonly OpenSource[]) {
    this.#options = options;
    this.#sources = sources;
  }

  rolloutAt(place: RolloutPlace): FoundRollout {
    const key = `${place.file} ${place.offset}`;
    let known = this.#known.get(key);
    if (known === undefined) {
      known = this.#read(place);
      this.#known.add(key, known);
    }
    const rollout = known.rollouts[place.sub];
    if (rollout === undefined) throw changed(this.nameOf(place));
    return { row: known.row, rollout };
  }

  /** The rollout there as it is written, if it is a plain one. It is good as long as one more is read, and no longer. */
  plainAt(place: RolloutPlace): PlainRollout | undefined {
    const { file, offset } = place;
    const known = this.#plainLines.findIndex((line) => line.offset === offset && line.file === file);
    if (known !== -1) {
      // The next one must not come into its memory.
      if (known === this.#oldest) this.#oldest = (known + 1) % PLAIN_LINES;
      return this.#plainLines[known]?.rollout;
    }
    const { reader } = this.#sourceOf(place);
    if (!this.#plain.has(reader)) this.#plain.set(reader, plainReader(reader, this.#options));
    const plain = this.#plain.get(reader);
    if (plain === undefined || place.length > MAX_PLAIN) return undefined;
    const memory = this.#bytesAt(place, this.#plainLines[this.#oldest]?.memory ?? EMPTY);
    const rollout = readPlain(memory.subarray(0, place.length), plain, offset === 0);
    this.#plainLines[this.#oldest] = { file, offset, memory, rollout };
    this.#oldest = (this.#oldest + 1) % PLAIN_LINES;
    return rollout;
  }

  nameOf(place: RolloutPlace): string {
    return this.#sources[place.file]?.name ?? "";
  }

  #read(place: RolloutPlace): { row: unknown; rollouts: RolloutRecord[] } {
    const row = readRow(this.#lineAt(place), this.#sourceOf(place).reader, place.offset === 0);
    if (row === undefined || "problem" in row) throw changed(this.nameOf(place));
    return row;
  }

  /** The bytes of a line, good until the next one is read. */
  #lineAt(place: RolloutPlace): Buffer {
    this.#line = this.#bytesAt(place, this.#line);
    return this.#line.subarray(0, place.length);
  }

  /** Reads a line into the beginning of this memory, or of more where that is too little. */
  #bytesAt(place: RolloutPlace, memory: Buffer): Buffer {
    const { offset, length } = place;
    const held = memory.length < length ? Buffer.allocUnsafeSlow(length * 2) : memory;
    // Some microseconds each, and this is mostly a thread of its own: waiting for each read would take far longer.
    const read = readSync(this.#sourceOf(place).file.fd, held, 0, length, offset);
    if (read < length) throw changed(this.nameOf(place));
    return held;
  }

  #sourceOf({ file }: RolloutPlace): OpenSource {
    const source = this.#sources[file];
    if (source === undefined) throw new RangeError(`there is no file ${file}`);
    return source;
  }
}

function changed(file: string): PairwrightError {
  return new PairwrightError({
    code: "input_changed",
    where: file,
    what: "the file was changed while it was read",
    fix: "wait until nothing writes to it, and give the command again",
    exit_code: 3,
  });
}
