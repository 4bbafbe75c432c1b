import { readSync } from "node:fs";
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

/** Reads all of a run. */
export const readWhole: ReadRun = (line) => JSON.parse(line.toString("utf8"));

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
  for (const stored of lines) yield { run: parseRun(stored, read), line: stored.line };
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
  const { stretches, ...batch } = layOut(lines, memory);
  for (const { first, last, at } of stretches) {
    const { offset, file } = first;
    const length = last.offset + last.length - offset;
    for (let done = 0; done < length; ) {
      const { bytesRead } = await file.read(batch.bytes, at + done, length - done, offset + done);
      if (bytesRead === 0) throw becameShorter(last);
      done += bytesRead;
    }
  }
  return batch;
}

/**
 * The same in a thread that has nothing else to do meanwhile. What the system read with another processor would have to
 * come over from there, which takes longer than to read it.
 */
export function readBatchSync(lines: RunLine[], memory: Memory): Batch {
  const { stretches, ...batch } = layOut(lines, memory);
  for (const { first, last, at } of stretches) {
    const { offset, file } = first;
    const length = last.offset + last.length - offset;
    for (let done = 0; done < length; ) {
      const bytesRead = readSync(file.fd, batch.bytes, at + done, length - done, offset + done);
      if (bytesRead === 0) throw becameShorter(last);
      done += bytesRead;
    }
  }
  return batch;
}

/** Lines that lie one after another in a file, and where they go. */
interface Stretch {
  first: RunLine;
  last: RunLine;
  at: number;
}

function layOut(lines: RunLine[], memory: Memory): Batch & { stretches: Stretch[] } {
  const length = lines.reduce((sum, line) => sum + line.length + 1, 0);
  const bytes = memory.length >= length ? memory : Buffer.allocUnsafeSlow(Math.max(length, BATCH_BYTES));
  const starts = new Array<number>(lines.length).fill(0);
  const stretches: Stretch[] = [];
  let end = 0;
  for (const place of [...lines.keys()].sort((a, b) => comparePlace(lines[a], lines[b]))) {
    const line = lines[place];
    if (line === undefined) continue;
    const stretch = stretches.at(-1);
    if (stretch !== undefined && isNext(stretch.last, line)) {
      stretch.last = line;
      starts[place] = stretch.at + line.offset - stretch.first.offset;
    } else {
      stretches.push({ first: line, last: line, at: end });
      starts[place] = end;
    }
    end = (starts[place] ?? 0) + line.length;
  }
  return { lines, starts, bytes, stretches };
}

function becameShorter({ path, number }: RunLine): Error {
  return badLine(path, number, "the file became shorter while it was read");
}

function comparePlace(a: RunLine | undefined, b: RunLine | undefined): number {
  if (a === undefined || b === undefined || a.file === b.file) return (a?.offset ?? 0) - (b?.offset ?? 0);
  return a.path < b.path ? -1 : 1;
}

function isNext(before: RunLine, after: RunLine): boolean {
  return before.file === after.file && after.number === before.number + 1;
}

/** The run of a line. */
export function parseRun({ line: { path, number }, bytes }: StoredLine, read: ReadRun): RunRecord {
  let run: unknown;
  try {
    run = read(bytes);
  } catch (cause) {
    throw badLine(path, number, "this line is not JSON", cause);
  }
  if (!Array.isArray((run as RunRecord | null)?.steps) || !Number.isInteger((run as RunRecord).seed)) {
    throw badLine(path, number, "this line is no run: it needs a seed and a list of steps");
  }
  return run as RunRecord;
}
