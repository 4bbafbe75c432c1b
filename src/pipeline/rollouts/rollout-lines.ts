import { readSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { PairwrightError } from "../../lib/errors.ts";
import { Recent } from "../../lib/recent.ts";
import type { PlainReader, PlainRollout } from "../../preferences/rollouts/plain-rollout.ts";
import { type FactOptions, plainReader } from "../../preferences/rollouts/rollout-facts.ts";
import type { RolloutRecord } from "../../records/rollout.ts";
import type { RolloutReader } from "../../registry/training.ts";
import { readPlain, readRow } from "./read-row.ts";
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

/** Reads rollouts again where they stand; the last few are remembered. */
export class RolloutLines {
  readonly #options: FactOptions;
  readonly #sources: readonly OpenSource[];
  readonly #known = new Recent<string, { row: unknown; rollouts: RolloutRecord[] }>();
  readonly #knownPlain = new Recent<string, PlainRollout>();
  readonly #plain = new Map<RolloutReader, PlainReader | undefined>();
  #line: Buffer = Buffer.allocUnsafeSlow(1 << 16);

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

  /** The rollout there as it is written, if it is a plain one. */
  plainAt(place: RolloutPlace): PlainRollout | undefined {
    const key = `${place.file} ${place.offset}`;
    const known = this.#knownPlain.get(key);
    if (known !== undefined) return known;
    const { reader } = this.#sourceOf(place);
    if (!this.#plain.has(reader)) this.#plain.set(reader, plainReader(reader, this.#options));
    const plain = this.#plain.get(reader);
    const rollout = plain && readPlain(this.#lineAt(place), plain, place.offset === 0);
    if (rollout !== undefined) this.#knownPlain.add(key, rollout);
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
    const { offset, length } = place;
    if (this.#line.length < length) this.#line = Buffer.allocUnsafeSlow(length * 2);
    // Some microseconds each, and this is mostly a thread of its own: waiting for each read would take far longer.
    const read = readSync(this.#sourceOf(place).file.fd, this.#line, 0, length, offset);
    if (read < length) throw changed(this.nameOf(place));
    return this.#line.subarray(0, length);
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
