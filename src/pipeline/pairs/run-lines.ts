import { type FileHandle, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { usageError } from "../../lib/errors.ts";
import { badLine } from "../../lib/jsonl.ts";
import { runKey } from "../../records/run.ts";
import { type LineEntry, LineTable } from "./line-table.ts";

const CHUNK_BYTES = 1 << 20;
/** Enough for the fields that stand first on a line, unless the example's id is very long. */
const PREFIX_BYTES = 512;
const NEWLINE = 0x0a;
/** The fields that `runs.jsonl` has first on each line, in the order of the schema. */
const PREFIX =
  /^\{"example_id":("(?:[^"\\]|\\.)*"),"example_index":(\d+),"rep":(\d+),"run_index":(\d+),"status":"(completed|failed)","seed":(-?\d+),/;

/** One line of a `runs.jsonl` that counts. */
export interface RunLine {
  path: string;
  /** Which of the files it is of, from 0. */
  place: number;
  file: FileHandle;
  /** From 1. */
  number: number;
  offset: number;
  length: number;
}

/** Which lines of some `runs.jsonl` files count, in the order in which they are to be read. */
export interface RunIndex extends AsyncDisposable {
  /** How many lines `lines` gives. */
  readonly size: number;
  readonly failed: number;
  /** How long the lines are that `lines` gives, together. */
  readonly bytes: number;
  /** Every seed that a run has, with the first file that has it, in the order of the files. */
  readonly seeds: ReadonlyMap<number, string>;
  /** Lines that a later line of the same key replaced. */
  readonly superseded: number;
  /** What was found that a person should know. */
  readonly warnings: readonly string[];
  /** In order: example_index, rep, run_index, then the files as they were given. Failed runs are left out unless asked for. */
  lines(): Iterable<RunLine>;
}

/** The `runs.jsonl` of a run folder, or the file itself. */
export async function runsFile(run: string): Promise<string> {
  const there = await stat(run).catch(() => undefined);
  const path = there?.isDirectory() ? join(run, "runs.jsonl") : run;
  if (there === undefined || !(await stat(path).catch(() => undefined))?.isFile()) {
    throw usageError({
      code: "no_runs_file",
      where: path,
      what: "there is no runs.jsonl here",
      fix: "name the folder of a run, or a runs.jsonl file",
    });
  }
  return path;
}

export interface RunIndexOptions {
  signal?: AbortSignal | undefined;
  /** Whether `lines` gives failed runs, too. */
  with_failed?: boolean;
  /**
   * Whether a key of a later file replaces that of an earlier one, rather than standing beside it. A run that failed
   * never replaces one that another file has completed.
   */
  one_of_each_key?: boolean;
  /** The examples whose runs count; all of them unless told. */
  only?: ReadonlySet<string> | undefined;
}

/** Reads where the lines of the files begin and which runs they hold. */
export async function openRunIndex(paths: readonly string[], options: RunIndexOptions = {}): Promise<RunIndex> {
  const { with_failed = false, one_of_each_key = false, only, signal } = options;
  const table = new LineTable();
  const files: FileHandle[] = [];
  const warnings: string[] = [];
  const seeds = new Map<number, string>();
  const close = async () => {
    await Promise.all(files.map((file) => file.close()));
  };
  try {
    for (const [place, path] of paths.entries()) {
      const file = await open(path, "r");
      files.push(file);
      if (!one_of_each_key) table.forgetKeys();
      await indexFile({ path, place, file, table, warnings, seeds, only, signal });
    }
  } catch (error) {
    await close();
    throw error;
  }
  const { order, failed, superseded } = table.winners(with_failed);
  return {
    size: order.length,
    failed,
    superseded,
    seeds,
    bytes: order.reduce((bytes, line) => bytes + table.get("length", line), 0),
    warnings,
    *lines() {
      for (const line of order) {
        const place = table.get("place", line);
        const file = files[place];
        const path = paths[place];
        if (file === undefined || path === undefined) continue;
        const offset = table.get("offset", line);
        yield { path, place, file, number: table.get("number", line), offset, length: table.get("length", line) };
      }
    },
    [Symbol.asyncDispose]: close,
  };
}

interface IndexedFile {
  path: string;
  place: number;
  file: FileHandle;
  table: LineTable;
  warnings: string[];
  seeds: Map<number, string>;
  only: ReadonlySet<string> | undefined;
  signal: AbortSignal | undefined;
}

async function indexFile(indexed: IndexedFile): Promise<void> {
  const { path, place, file, table, warnings, seeds, only, signal } = indexed;
  const add = (where: Where, { seed, example_id, ...head }: Head) => {
    if (only?.has(example_id) === false) return;
    if (seed !== undefined && !seeds.has(seed)) seeds.set(seed, path);
    table.add({ place, ...where, ...head });
  };
  let prefix: Buffer = Buffer.alloc(0);
  let number = 1;
  let start = 0;
  let position = 0;
  for await (const chunk of chunksOf(file)) {
    signal?.throwIfAborted();
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      const until = end === -1 ? chunk.length : end;
      const wanted = Math.min(until, from + PREFIX_BYTES - prefix.length);
      prefix =
        prefix.length === 0 ? chunk.subarray(from, wanted) : Buffer.concat([prefix, chunk.subarray(from, wanted)]);
      if (end === -1) break;
      const length = position + end - start;
      if (length > 0) {
        const line = { number, offset: start, length };
        add(line, headOf(prefix) ?? (await parsedHead(indexed, line)));
      }
      number += 1;
      start = position + end + 1;
      from = end + 1;
      prefix = Buffer.alloc(0);
    }
    // The chunk is about to be read into again.
    prefix = Buffer.from(prefix);
    position += chunk.length;
  }
  if (position === start) return;
  // A file that ends without a newline was perhaps cut off: only a line that is whole JSON is one.
  const line = { number, offset: start, length: position - start };
  const text = await textAt(file, line);
  if (isJson(text)) add(line, await parsedHead(indexed, line));
  else warnings.push(`${path}:${number}: the last line is cut off and was left out (${line.length} bytes)`);
}

/** All bytes of a file; the next ones are read while the last ones are looked at, and then in their memory. */
async function* chunksOf(file: FileHandle): AsyncGenerator<Buffer> {
  let [mine, ahead] = [Buffer.allocUnsafeSlow(CHUNK_BYTES), Buffer.allocUnsafeSlow(CHUNK_BYTES)];
  let position = 0;
  let next = file.read(mine, 0, CHUNK_BYTES, position);
  for (;;) {
    const { bytesRead } = await next;
    if (bytesRead === 0) return;
    position += bytesRead;
    next = file.read(ahead, 0, CHUNK_BYTES, position);
    // A fault is thrown when its turn comes, also if nobody asks for more.
    next.catch(() => undefined);
    yield mine.subarray(0, bytesRead);
    [mine, ahead] = [ahead, mine];
  }
}

type Head = Pick<LineEntry, "key" | "example_index" | "rep" | "run_index" | "failed"> & {
  example_id: string;
  seed: number | undefined;
};
type Where = Pick<LineEntry, "number" | "offset" | "length">;

/** The fields that stand first on a line as `runs.jsonl` is written; `undefined` when they do not. */
function headOf(prefix: Buffer): Head | undefined {
  const found = PREFIX.exec(prefix.toString("utf8"));
  if (found === null) return undefined;
  const [, id = "", example_index, rep, run_index, status, seed] = found;
  const example_id = JSON.parse(id) as string;
  const numbers = { example_index: Number(example_index), rep: Number(rep), run_index: Number(run_index) };
  const key = runKey({ example_id, ...numbers });
  return { key, example_id, ...numbers, failed: status === "failed", seed: Number(seed) };
}

/** The same fields, wherever on the line they stand. */
async function parsedHead({ path, file }: IndexedFile, where: Where): Promise<Head> {
  let record: unknown;
  try {
    record = JSON.parse(await textAt(file, where));
  } catch (cause) {
    throw badLine(path, where.number, "this line is not JSON", cause);
  }
  const { example_id, example_index, rep, run_index, status, seed } = (record ?? {}) as Record<string, unknown>;
  const known = typeof example_id === "string" && (status === "completed" || status === "failed");
  if (!known || !isIndex(example_index) || !isIndex(rep) || !isIndex(run_index)) {
    const needed = "example_id, example_index, rep, run_index and status";
    throw badLine(path, where.number, `this line is no run: it needs ${needed}`);
  }
  const numbers = { example_index, rep, run_index };
  const key = runKey({ example_id, ...numbers });
  return {
    key,
    example_id,
    ...numbers,
    failed: status === "failed",
    seed: typeof seed === "number" ? seed : undefined,
  };
}

async function textAt(file: FileHandle, { offset, length }: Where): Promise<string> {
  const bytes = Buffer.allocUnsafe(length);
  await file.read(bytes, 0, length, offset);
  return bytes.toString("utf8");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}
