import { usageError } from "../../lib/errors.ts";
import { forEachLine, readLineRange } from "../../lib/line-range.ts";
import { isObject } from "../../records/messages-of.ts";
import type { RolloutReader } from "../../registry/training.ts";
import type { SourceFile } from "./open-sources.ts";
import { parseLine } from "./read-row.ts";
import { NOTHING, type OnRolloutProgress } from "./rollout-progress.ts";
import { RolloutTable } from "./rollout-table.ts";
import { inOrder, type RolloutJob, type Workers, type WorkSource } from "./work.ts";

/** Bytes that are looked at as one job. */
const PART = 1 << 20;
/** What is looked at to find out who wrote a file: so many rows of those that start in so many bytes. */
const FIRST_ROWS = 8;
const FIRST_BYTES = 1 << 20;
/** Bad lines are all counted, and so many are named. */
const NAMED = 20;

export type NamedReaders = readonly { name: string; reader: RolloutReader }[];

/** A line that is no rollout. */
export interface BadLine {
  file: string;
  line: number;
  problem: string;
}

export interface ScannedSources {
  table: RolloutTable;
  bad: number;
  /** The first ones. */
  bad_lines: BadLine[];
  warnings: string[];
}

/** Each file with its reader: the one that was named, else the one that knows most of the file's first rows. */
export async function withReaders(
  files: readonly SourceFile[],
  readers: NamedReaders,
  named: string | undefined,
): Promise<WorkSource[]> {
  const sources: WorkSource[] = [];
  for (const file of files) {
    const { name, path } = file;
    const found = named === undefined ? await guess(file, readers) : readers.find((known) => known.name === named);
    if (found === undefined) {
      throw usageError({
        code: "unknown_reader",
        where: `--from ${named}`,
        what: "there is no reader of this name",
        fix: `known are ${readers.map((known) => known.name).join(", ")}`,
      });
    }
    sources.push({ name, path, file: file.file, reader: found.reader, reader_name: found.name });
  }
  return sources;
}

async function guess(
  { name, file, size }: SourceFile,
  readers: NamedReaders,
): Promise<NamedReaders[number] | undefined> {
  const rows: unknown[] = [];
  const { bytes } = await readLineRange(file, { start: 0, end: Math.min(size, FIRST_BYTES), size }, Buffer.alloc(0));
  forEachLine(bytes, (line, at) => {
    const parsed = rows.length < FIRST_ROWS ? parseLine(line, at === 0) : undefined;
    if (parsed !== undefined && "row" in parsed) rows.push(parsed.row);
  });
  // No row at all is for the scan to tell, line by line.
  if (rows.length === 0) return readers[0];
  let found: NamedReaders[number] | undefined;
  let most = 0;
  for (const known of readers) {
    const own = rows.filter((row) => known.reader.recognises([row])).length;
    if (own > most) [found, most] = [known, own];
  }
  if (found !== undefined) return found;
  const [first] = rows;
  const keys = isObject(first) ? `objects with the keys ${Object.keys(first).slice(0, 12).join(", ")}` : typeof first;
  throw usageError({
    code: "unknown_rollouts",
    where: name,
    what: `no reader knows these rows: ${keys}`,
    fix: `give --from with the reader that they are for: ${readers.map((known) => known.name).join(", ")}`,
  });
}

export interface ScanOptions {
  join_tasks: boolean;
  max_bad: number;
  signal?: AbortSignal | undefined;
  onProgress?: OnRolloutProgress | undefined;
}

/**
 * Looks at all rollouts of all files, in order. More than `max_bad` lines that are none are an error that names the last
 * one. A last line that is still being written is no bad line.
 */
export async function scanSources(
  files: readonly SourceFile[],
  workers: Workers,
  { join_tasks, max_bad, signal, onProgress }: ScanOptions,
): Promise<ScannedSources> {
  const found: ScannedSources = { table: new RolloutTable(join_tasks), bad: 0, bad_lines: [], warnings: [] };
  const total_bytes = files.reduce((sum, { size }) => sum + size, 0);
  let [bytes, rows] = [0, 0];
  let lines = 0;
  let current = -1;
  for await (const { job, result } of inOrder(partsOf(files, max_bad), workers.ahead, workers.scan)) {
    signal?.throwIfAborted();
    if (job.file !== current) lines = 0;
    current = job.file;
    const source = files[job.file];
    if (source === undefined) continue;
    for (const { line, problem, isUnfinished } of result.bad) {
      if (isUnfinished && (await source.file.stat()).size > source.size) {
        found.warnings.push(
          `${source.name} grows: its last line, ${lines + line}, is not yet written to its end, and left out`,
        );
        continue;
      }
      found.bad += 1;
      if (found.bad > max_bad) throw tooManyBad(source.name, lines + line, problem, max_bad);
      if (found.bad_lines.length < NAMED) found.bad_lines.push({ file: source.name, line: lines + line, problem });
    }
    found.table.add(result, job.file);
    lines += result.lines;
    rows += result.lines;
    bytes += job.end - job.start;
    onProgress?.({ ...NOTHING, stage: "read", bytes, total_bytes, rows });
  }
  return found;
}

function* partsOf(files: readonly SourceFile[], max_bad: number): Generator<RolloutJob & { kind: "scan" }> {
  for (const [file, { size }] of files.entries()) {
    for (let start = 0; start < size; start += PART) {
      yield { kind: "scan", file, start, end: Math.min(size, start + PART), size, max_bad };
    }
  }
}

function tooManyBad(file: string, line: number, problem: string, max_bad: number) {
  return usageError({
    code: "bad_line",
    where: `${file}:${line}`,
    what: problem + (max_bad === 0 ? "" : `, after ${max_bad} other bad lines`),
    fix: "mend or remove the line, or let some pass with --max-bad N",
  });
}
