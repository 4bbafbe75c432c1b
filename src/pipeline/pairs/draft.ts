import { randomBytes } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type BulkWriter, openBulkWriter } from "../../lib/bulk-writer.ts";
import { type LineCursor, openLineCursor } from "../../lib/line-cursor.ts";
import { COLUMNS, FLAG, type PairBatch, WIDTH } from "./entries.ts";
import { withSide } from "./text.ts";
import { type Verdict, type VerdictOptions, VerdictSurvey } from "./verdict.ts";

/** The files of a build, under its output folder. */
export const PAIR_FILES = {
  pairs: "pairs.jsonl",
  training: "dataset/training_file.jsonl",
  validation: "dataset/validation_file.jsonl",
} as const;
type FileName = keyof typeof PAIR_FILES;
const NAMES = Object.keys(PAIR_FILES) as FileName[];

/** Where the pairs of a build go. */
export interface DraftOptions extends VerdictOptions {
  output: string;
  signal?: AbortSignal | undefined;
}

/** What came of a draft. */
export interface Finished extends Omit<Verdict, "sideOf" | "revised"> {
  /** SHA-256 of each data-set file. */
  sha256: { training: string; validation: string };
}

/**
 * The files of a build, being written. Which pairs and rows stay, and on which side, is known only when all of them were
 * seen; each is written at once where it most likely belongs, under a temporary name. `finish` takes the files as they are
 * when all guesses were right, else copies them, without what is left out and with the sides put right. The files can be
 * made again from the runs at any time, so nobody waits for the disk to have them.
 */
export class PairsDraft {
  readonly #options: DraftOptions;
  readonly #survey: VerdictSurvey;
  /** All that was opened, so that nothing is left open or lying about. */
  readonly #made: { path: string; writer: BulkWriter }[] = [];
  #files: Files | undefined;

  constructor(options: DraftOptions) {
    this.#options = options;
    this.#survey = new VerdictSurvey(options);
  }

  /** Opens the files; before anything else. */
  async open(): Promise<void> {
    this.#files = await this.#openAll();
  }

  /** Takes the next batch: all of it that was not there before. */
  add(batch: PairBatch): void {
    const files = this.#opened();
    const kept = new Uint8Array(batch.size);
    let all = true;
    for (let place = 0; place < batch.size; place += 1) {
      if (this.#survey.add(batch, place)) kept[place] = 1;
      else all = false;
    }
    if (all) for (const name of NAMES) files[name].writer.writeBytes(batch[name]);
    else this.#addSome(batch, kept);
  }

  #addSome({ size, facts, ...lines }: PairBatch, kept: Uint8Array): void {
    const files = this.#opened();
    const ends = { pairs: 0, training: 0, validation: 0 };
    const take = (name: FileName, length: number, wanted: boolean) => {
      const start = ends[name];
      ends[name] += length;
      if (wanted && length > 0) files[name].writer.writeBytes(lines[name].subarray(start, ends[name]));
    };
    for (let place = 0; place < size; place += 1) {
      const at = place * WIDTH;
      const wanted = kept[place] === 1;
      const side = ((facts[at + COLUMNS.flags] ?? 0) & FLAG.guessed_validation) === 0 ? "training" : "validation";
      take("pairs", facts[at + COLUMNS.pair_bytes] ?? 0, wanted);
      take(side, facts[at + COLUMNS.row_bytes] ?? 0, wanted);
    }
  }

  /** A promise to wait for when the disk is behind. */
  pressure(): Promise<void> | undefined {
    const { pairs, training } = this.#opened();
    return pairs.writer.pressure() ?? training.writer.pressure();
  }

  /** Decides over all pairs, and puts the files in their places, each whole. */
  async finish(): Promise<Finished> {
    const files = this.#opened();
    let written = await closeAll(files);
    let paths = pathsOf(files);
    const { sideOf, revised, ...verdict } = this.#survey.decide();
    if (revised) {
      const copies = await this.#openAll("latin1");
      await this.#copy(paths, copies, sideOf);
      written = await closeAll(copies);
      paths = pathsOf(copies);
    }
    for (const name of NAMES) await rename(paths[name], join(this.#options.output, PAIR_FILES[name]));
    const sha256 = { training: written.training, validation: written.validation };
    return { ...verdict, sha256 };
  }

  /** Removes whatever is left under temporary names. */
  async discard(): Promise<void> {
    await Promise.allSettled(this.#made.map(({ writer }) => writer.close()));
    await Promise.all(this.#made.map(({ path }) => rm(path, { force: true })));
  }

  #opened(): Files {
    if (this.#files === undefined) throw new Error("a draft must be opened first");
    return this.#files;
  }

  async #openAll(encoding: "utf8" | "latin1" = "utf8"): Promise<Files> {
    const tag = randomBytes(4).toString("hex");
    const open = async (name: FileName) => {
      const path = join(this.#options.output, `${PAIR_FILES[name]}.${tag}.partial`);
      await mkdir(dirname(path), { recursive: true });
      const file = { path, writer: await openBulkWriter(path, { digest: name !== "pairs", encoding }) };
      this.#made.push(file);
      return file;
    };
    return { pairs: await open("pairs"), training: await open("training"), validation: await open("validation") };
  }

  async #copy(from: Record<FileName, string>, to: Files, sideOf: Verdict["sideOf"]): Promise<void> {
    await using pairs = await openLineCursor(from.pairs);
    await using training = await openLineCursor(from.training);
    await using validation = await openLineCursor(from.validation);
    const rows = { training, validation };
    for (let entry = 0; entry < this.#survey.size; entry += 1) {
      const { side: guessed, hasPair, hasRow } = this.#survey.guessOf(entry);
      const line = hasPair ? (pairs.take() ?? (await readOn(pairs))) : undefined;
      const row = hasRow ? (rows[guessed].take() ?? (await readOn(rows[guessed]))) : undefined;
      const side = sideOf(entry);
      if (side === undefined) continue;
      if (line !== undefined) to.pairs.writer.write(side === guessed ? line : withSide(line, side));
      if (row !== undefined) to[side].writer.write(row);
      const pressure = to.pairs.writer.pressure() ?? to.training.writer.pressure();
      if (pressure === undefined) continue;
      await pressure;
      this.#options.signal?.throwIfAborted();
    }
  }
}

type Files = Record<FileName, { path: string; writer: BulkWriter }>;

async function readOn(lines: LineCursor): Promise<string> {
  while (await lines.fill()) {
    const line = lines.take();
    if (line !== undefined) return line;
  }
  throw new Error("a draft of pairs has fewer lines than it had pairs");
}

async function closeAll(files: Files): Promise<Record<FileName, string>> {
  const digests = { pairs: "", training: "", validation: "" };
  for (const name of NAMES) digests[name] = (await files[name].writer.close()).sha256 ?? "";
  return digests;
}

function pathsOf(files: Files): Record<FileName, string> {
  return { pairs: files.pairs.path, training: files.training.path, validation: files.validation.path };
}
