import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { withoutCalls } from "../../datasets/formats/without-calls.ts";
import { usageError } from "../../lib/errors.ts";
import { writeFileWhole } from "../../lib/files.ts";
import { refuseUnwritable } from "../../lib/refuse-unwritable.ts";
import { contentDigest, pairId, questionDigest, questionHash } from "../../preferences/content.ts";
import type { DatasetFormat, ReadPair } from "../../registry/training.ts";
import { type NamedFormats, type PairInFile, readPairs } from "./read-pairs.ts";

/** What to convert, and into what. */
export interface ConvertOptions {
  input: string;
  output: string;
  /** The format of the input; that of its first row unless told. */
  from?: string | undefined;
  to: NamedFormats[number];
  formats: NamedFormats;
  /** Calls of tools may be dropped where a row cannot hold them. */
  allow_loss: boolean;
  /** Which pairs are converted; all of them unless told. */
  only?: ((pair: ReadPair) => boolean) | undefined;
  signal?: AbortSignal | undefined;
}

/** What came of a conversion. */
export interface Converted {
  rows: number;
  written: number;
  /** Rows that the format cannot hold, by what is in the way. */
  unwritable: Record<string, number>;
  /** What written rows leave out, by what it is. */
  lost_fields: Record<string, number>;
  from: string | null;
  sha256: string | null;
}

const OPTIONS = { use_full_message_history: true };

/**
 * Writes the pairs of one file as rows of another format, whole or not at all. Dropping a call of a tool is an error that
 * names its line, unless `allow_loss` says so.
 */
export async function convertPairs(options: ConvertOptions): Promise<Converted> {
  const { input, output, to } = options;
  if ((await real(input)) === (await real(output))) {
    throw usageError({
      code: "output_is_input",
      where: output,
      what: "this file is to be read",
      fix: "name another output",
    });
  }
  await refuseUnwritable(output);
  const found = nothing();
  found.sha256 = await writeFileWhole(output, linesOf(options, found));
  if (found.written > 0) {
    for (const name of to.format.never_holds ?? []) {
      const times = name === "scores" ? found.lost_fields.scores : found.written;
      if (times !== undefined) found.lost_fields[name] = times;
    }
  }
  return found;
}

/**
 * The lines of the input that the rows with these numbers, from 1, were made of; in the order of the numbers. It reads the
 * input again: a conversion of any size keeps no list.
 */
export async function linesOfRows(
  options: Omit<ConvertOptions, "output">,
  numbers: readonly number[],
): Promise<number[]> {
  const lines = new Map<number, number>();
  const last = Math.max(0, ...numbers);
  const wanted = new Set(numbers);
  for await (const { line, number } of rowsOf(options, nothing())) {
    if (wanted.has(number)) lines.set(number, line);
    if (number >= last) break;
  }
  return numbers.map((number) => lines.get(number) ?? number);
}

function nothing(): Converted {
  return { rows: 0, written: 0, unwritable: {}, lost_fields: {}, from: null, sha256: null };
}

async function real(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

async function* linesOf(options: ConvertOptions, found: Converted): AsyncGenerator<string> {
  for await (const { row } of rowsOf(options, found)) yield `${JSON.stringify(row)}\n`;
}

/** The rows that are written, each with its number and the line that it is made of. */
async function* rowsOf(
  options: Omit<ConvertOptions, "output">,
  found: Converted,
): AsyncGenerator<{ row: Record<string, unknown>; number: number; line: number }> {
  const { input, to, allow_loss, only } = options;
  const neverScores = to.format.never_holds?.includes("scores") === true;
  for await (const read of readPairs(input, options)) {
    if (only?.(read.pair) === false) continue;
    found.rows += 1;
    found.from = read.format;
    const pair = to.format.holds_provenance === true ? withProvenance(read) : read.pair;
    const { row, lost } = rowOf(to.format, pair, allow_loss);
    if (lost.includes("tool_calls") && !allow_loss) throw wouldDropCalls(`${input}:${read.line}`, to.name);
    for (const name of lost) count(row === null ? found.unwritable : found.lost_fields, name);
    if (row === null) continue;
    if (neverScores && pair.chosen_score !== undefined) count(found.lost_fields, "scores");
    found.written += 1;
    yield { row, number: found.written, line: read.line };
  }
}

function rowOf(format: DatasetFormat, pair: ReadPair, allow_loss: boolean): ReturnType<DatasetFormat["row"]> {
  const written = format.row(pair, OPTIONS);
  if (written.row !== null || !allow_loss || !written.lost.includes("tool_calls")) return written;
  const texts = withoutCalls(pair);
  if (texts === undefined) return written;
  const { row, lost } = format.row(texts, OPTIONS);
  return { row, lost: row === null ? lost : [...lost, "tool_calls"] };
}

/** What our own format asks for and other formats do not tell: a pair is known by its content, and by nothing else. */
function withProvenance({ pair, format }: PairInFile): ReadPair {
  const { prompt, chosen, rejected, tools, chosen_score, rejected_score } = pair;
  if (pair.pair_id !== undefined || chosen_score === undefined || rejected_score === undefined) return pair;
  const question = questionHash(prompt, tools);
  const score_diff = chosen_score - rejected_score;
  return {
    pair_id: pairId(questionDigest(prompt, tools), contentDigest(chosen), contentDigest(rejected)),
    example_id: question,
    rep: 0,
    run_index: 0,
    turn_id: question,
    turn_index: 0,
    ...pair,
    score_diff,
    reward: score_diff,
    chosen_index: 0,
    rejected_index: 1,
    model: null,
    seed: 0,
    split: "training",
    source: format,
    metadata: {},
  };
}

function wouldDropCalls(where: string, name: string) {
  return usageError({
    code: "would_drop_tool_calls",
    where,
    what: `rows of ${name} cannot hold a call of a tool, and a pair without it would teach another thing`,
    fix: "--to a format that holds them, such as trl-conversational, nemo-rl-ranked or openai; or --allow-loss",
  });
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
