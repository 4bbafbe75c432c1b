import { JsonPicker } from "../../lib/json-pick.ts";
import { badLine } from "../../lib/jsonl.ts";
import { TURN_FIELDS } from "../../preferences/candidates.ts";
import type { RunRecord } from "../../records/run.ts";
import type { RunIndex, RunLine } from "./run-lines.ts";

const BATCH_BYTES = 1 << 18;

/** A run with the place it stands at. */
export interface StoredRun {
  run: RunRecord;
  line: RunLine;
}

/** Makes a run of the bytes of its line, or throws a SyntaxError. */
export type ReadRun = (line: Buffer) => unknown;

const readWhole: ReadRun = (line) => JSON.parse(line.toString("utf8"));

/** Reads of each run no more than pairs are made from. */
export function turnReader(): ReadRun {
  const picker = new JsonPicker({ ...TURN_FIELDS, usage: { total_tokens: "all" } });
  return (line) => picker.pick(line);
}

/**
 * The runs that an index lists, in its order, a batch at a time; the next batch is read while the last one is worked
 * on, so a batch is good until the next one is asked for. Memory: two batches of 256 KiB, or two lines when they are
 * longer. Steps are not checked here: their reader takes whatever they are.
 */
export async function* storedRuns(
  index: RunIndex,
  signal?: AbortSignal,
  read: ReadRun = readWhole,
): AsyncGenerator<Iterable<StoredRun>> {
  for await (const batch of storedLines(index, signal)) yield parsed(batch, read);
}

/** The same lines, not parsed. */
export async function* storedLines(index: RunIndex, signal?: AbortSignal): AsyncGenerator<Iterable<StoredLine>> {
  const batches = lineBatches(index);
  // Two pieces of memory take turns: fresh memory for each batch would cost as much as reading it.
  let [mine, ahead] = [Buffer.alloc(0), Buffer.alloc(0)];
  const readNext = async (memory: Memory) => {
    const { done, value } = batches.next();
    return done ? undefined : readBatch(value, memory);
  };
  let next = readNext(ahead);
  for (;;) {
    const batch = await next;
    if (batch === undefined) return;
    signal?.throwIfAborted();
    [mine, ahead] = [batch.bytes, mine];
    next = readNext(ahead);
    // A fault of the batch read ahead is thrown when its turn comes, also if the caller stops before.
    next.catch(() => undefined);
    yield linesOf(batch);
  }
}

/** A line of an index, and what it says. */
export interface StoredLine {
  line: RunLine;
  bytes: Buffer;
}

type Memory = Buffer<ArrayBuffer>;

/** Lines that were read, in their order. */
export interface Batch {
  lines: RunLine[];
  /** Where each line starts in `bytes`. */
  starts: number[];
  bytes: Memory;
}

/** One at a time: a parsed run takes several times the memory of its line. */
export function* parsed(lines: Iterable<StoredLine>, read: ReadRun): Generator<StoredRun> {
  for (const { line, bytes } of lines) yield { run: parseRun(bytes, line, read), line };
}

export function* linesOf({ lines, starts, bytes }: Batch): Generator<StoredLine> {
  for (const [place, line] of lines.entries()) {
    const start = starts[place] ?? 0;
    yield { line, bytes: bytes.subarray(start, start + line.length) };
  }
}

/** The lines of an index, as many at a time as are read and worked on together. */
export function* lineBatches(index: RunIndex): Generator<RunLine[], undefined> {
  let batch: RunLine[] = [];
  let bytes = 0;
  for (const line of index.lines()) {
    if (batch.length > 0 && bytes + line.length > BATCH_BYTES) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(line);
    bytes += line.length + 1;
  }
  if (batch.length > 0) yield batch;
  return undefined;
}

/**
 * Reads lines into `memory`, or into more of it when it is too small: `bytes` of what comes back. Lines that lie one
 * after another in a file are read in one go, whatever order they are wanted in.
 */
export async function readBatch(lines: RunLine[], memory: Memory): Promise<Batch> {
  const length = lines.reduce((sum, line) => sum + line.length + 1, 0);
  const bytes = memory.length >= length ? memory : Buffer.allocUnsafeSlow(Math.max(length, BATCH_BYTES));
  const byPlace = [...lines.keys()].sort((a, b) => comparePlace(lines[a], lines[b]));
  const starts = new Array<number>(lines.length).fill(0);
  let end = 0;
  for (let from = 0; from < byPlace.length; ) {
    let to = from + 1;
    while (to < byPlace.length && isNext(lines[byPlace[to - 1] ?? 0], lines[byPlace[to] ?? 0])) to += 1;
    const first = lines[byPlace[from] ?? 0];
    for (const place of byPlace.slice(from, to))
      starts[place] = end + (lines[place]?.offset ?? 0) - (first?.offset ?? 0);
    end = await readStretch(first, lines[byPlace[to - 1] ?? 0], bytes, end);
    from = to;
  }
  return { lines, starts, bytes };
}

/** Reads from the start of one line to the end of another, and says where the next may go. */
async function readStretch(
  first: RunLine | undefined,
  last: RunLine | undefined,
  bytes: Buffer,
  start: number,
): Promise<number> {
  if (first === undefined || last === undefined) return start;
  const end = start + last.offset + last.length - first.offset;
  let at = start;
  while (at < end) {
    const { bytesRead } = await first.file.read(bytes, at, end - at, first.offset + at - start);
    if (bytesRead === 0) throw badLine(first.path, last.number, "the file became shorter while it was read");
    at += bytesRead;
  }
  return end;
}

function comparePlace(a: RunLine | undefined, b: RunLine | undefined): number {
  if (a === undefined || b === undefined || a.file === b.file) return (a?.offset ?? 0) - (b?.offset ?? 0);
  return a.path < b.path ? -1 : 1;
}

function isNext(before: RunLine | undefined, after: RunLine | undefined): boolean {
  return before?.file === after?.file && after?.number === (before?.number ?? 0) + 1;
}

function parseRun(line: Buffer, { path, number }: RunLine, read: ReadRun): RunRecord {
  let run: unknown;
  try {
    run = read(line);
  } catch (cause) {
    throw badLine(path, number, "this line is not JSON", cause);
  }
  if (!Array.isArray((run as RunRecord | null)?.steps) || !Number.isInteger((run as RunRecord).seed)) {
    throw badLine(path, number, "this line is no run: it needs a seed and a list of steps");
  }
  return run as RunRecord;
}
