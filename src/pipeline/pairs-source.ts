import { badLine } from "../lib/jsonl.ts";
import type { RunRecord } from "../records/run.ts";
import type { RunIndex, RunLine } from "./pairs-index.ts";

const BATCH_BYTES = 1 << 20;

/** A run with the place it stands at. */
export interface StoredRun {
  run: RunRecord;
  line: RunLine;
}

/**
 * The runs that an index lists, in its order, a batch at a time; the next batch is read while the last one is worked
 * on. Memory: two batches of 1 MiB, or two lines when they are longer. Steps are not checked here: their reader takes
 * whatever they are.
 */
export async function* storedRuns(index: RunIndex, signal?: AbortSignal): AsyncGenerator<Iterable<StoredRun>> {
  for await (const batch of storedLines(index, signal)) yield parsed(batch);
}

/** One at a time: a parsed run takes several times the memory of its line. */
function* parsed({ lines, texts }: { lines: RunLine[]; texts: string[] }): Generator<StoredRun> {
  for (const [place, line] of lines.entries()) yield { run: parseRun(texts[place] ?? "", line), line };
}

/** The same lines, not parsed. */
export async function* storedLines(
  index: RunIndex,
  signal?: AbortSignal,
): AsyncGenerator<{ lines: RunLine[]; texts: string[] }> {
  const batches = batchesOf(index);
  const memory: Memory = { bytes: Buffer.allocUnsafeSlow(BATCH_BYTES) };
  let next = readBatch(batches.next(), memory);
  for (;;) {
    const batch = await next;
    if (batch === undefined) return;
    signal?.throwIfAborted();
    next = readBatch(batches.next(), memory);
    // A fault of the batch read ahead is thrown when its turn comes, also if the caller stops before.
    next.catch(() => undefined);
    yield batch;
  }
}

/** What batches are read into, one after another: fresh memory for each would cost as much as reading. */
interface Memory {
  bytes: Buffer;
}

function* batchesOf(index: RunIndex): Generator<RunLine[]> {
  let batch: RunLine[] = [];
  let bytes = 0;
  for (const line of index.lines()) {
    if (batch.length > 0 && bytes + line.length > BATCH_BYTES) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(line);
    bytes += line.length;
  }
  if (batch.length > 0) yield batch;
}

/** Lines that lie one after another in a file are read in one go, whatever order they are wanted in. */
async function readBatch(
  batch: IteratorResult<RunLine[]>,
  memory: Memory,
): Promise<{ lines: RunLine[]; texts: string[] } | undefined> {
  if (batch.done) return undefined;
  const lines = batch.value;
  const byPlace = [...lines.keys()].sort((a, b) => comparePlace(lines[a], lines[b]));
  const texts = new Array<string>(lines.length).fill("");
  for (let from = 0; from < byPlace.length; ) {
    let to = from + 1;
    while (to < byPlace.length && isNext(lines[byPlace[to - 1] ?? 0], lines[byPlace[to] ?? 0])) to += 1;
    await readStretch(lines, byPlace.slice(from, to), texts, memory);
    from = to;
  }
  return { lines, texts };
}

async function readStretch(lines: RunLine[], places: number[], texts: string[], memory: Memory): Promise<void> {
  const first = lines[places[0] ?? 0];
  const last = lines[places.at(-1) ?? 0];
  if (first === undefined || last === undefined) return;
  const length = last.offset + last.length - first.offset;
  if (length > memory.bytes.length) memory.bytes = Buffer.allocUnsafeSlow(length);
  const { bytes } = memory;
  let read = 0;
  while (read < length) {
    const { bytesRead } = await first.file.read(bytes, read, length - read, first.offset + read);
    if (bytesRead === 0) throw badLine(first.path, last.number, "the file became shorter while it was read");
    read += bytesRead;
  }
  for (const place of places) {
    const line = lines[place];
    if (line === undefined) continue;
    const from = line.offset - first.offset;
    texts[place] = bytes.toString("utf8", from, from + line.length);
  }
}

function comparePlace(a: RunLine | undefined, b: RunLine | undefined): number {
  if (a === undefined || b === undefined || a.file === b.file) return (a?.offset ?? 0) - (b?.offset ?? 0);
  return a.path < b.path ? -1 : 1;
}

function isNext(before: RunLine | undefined, after: RunLine | undefined): boolean {
  return before?.file === after?.file && after?.number === (before?.number ?? 0) + 1;
}

function parseRun(text: string, { path, number }: RunLine): RunRecord {
  let run: unknown;
  try {
    run = JSON.parse(text);
  } catch (cause) {
    throw badLine(path, number, "this line is not JSON", cause);
  }
  if (!Array.isArray((run as RunRecord | null)?.steps) || !Number.isInteger((run as RunRecord).seed)) {
    throw badLine(path, number, "this line is no run: it needs a seed and a list of steps");
  }
  return run as RunRecord;
}
