import { realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Readable } from "node:stream";
import { sideOfKey } from "../../datasets/split.ts";
import { usageError } from "../../lib/errors.ts";
import { writeFileWhole } from "../../lib/files.ts";
import { refuseUnwritable } from "../../lib/refuse-unwritable.ts";
import { parseRewardExpression } from "../../preferences/rollouts/reward-expression.ts";
import type { FactOptions } from "../../preferences/rollouts/rollout-facts.ts";
import type { DatasetFormat } from "../../registry/training.ts";
import { type CoupleList, type CoupleOptions, chooseCouples } from "./choose-couples.ts";
import { lineAt } from "./line-of-place.ts";
import type { PlacedCouple, RowMemory } from "./made-rows.ts";
import { describeManifest, manifestPath, type RolloutSummary, summaryOf } from "./manifest.ts";
import { openSources, type SourceFile } from "./open-sources.ts";
import { NOTHING, type OnRolloutProgress } from "./rollout-progress.ts";
import type { RolloutPlace, RolloutTable } from "./rollout-table.ts";
import { type NamedReaders, scanSources, withReaders } from "./scan-sources.ts";
import { inOrder, startWork, type Workers } from "./work.ts";
import { addCounts, PairFiles, type WrittenPairs } from "./write-pairs.ts";

/** Which rollouts to make into pairs, and how. */
export interface RolloutPairsOptions extends CoupleOptions, Omit<FactOptions, "reward"> {
  /** A sum such as `0.7*correctness+0.3*format`; the reward itself unless told. */
  reward?: string | undefined;
  /** Files, patterns, and `-` for `stdin`. */
  inputs: readonly string[];
  stdin: Readable;
  /** The file of the training rows. */
  output: string;
  /** The file of the validation rows; without it all rows are for training. */
  validation?: string | undefined;
  /** About this share of the tasks is for validation. */
  validation_share: number;
  readers: NamedReaders;
  /** The name of the reader; guessed of the first rows of each file unless told. */
  from?: string | undefined;
  format: DatasetFormat;
  format_name: string;
  /** Equal prompts of different tasks pair, too. */
  join_tasks: boolean;
  /** Calls of tools may be left out of rows that cannot hold them, and turns of one that holds texts. */
  allow_loss: boolean;
  /** So many lines that are no rollout are counted and passed over. */
  max_bad: number;
  /** The i-th of n equal parts of the pairs, tasks kept whole. */
  shard?: { index: number; of: number } | undefined;
  /** Threads beside this one; as many as the files are worth unless told. They change no byte. */
  threads?: number | undefined;
  onProgress?: OnRolloutProgress | undefined;
  signal?: AbortSignal | undefined;
}

/** Couples that are made into rows as one job. */
const JOB_COUPLES = 256;

/**
 * Makes preference pairs of rollouts: reads all files once for what pairs can be chosen by, chooses, and reads again only
 * the rollouts that were chosen. Memory: about 80 bytes a rollout, in whatever order they stand. The same rows give the
 * same bytes; in another order they give the same pairs. Files appear whole or not at all, the manifest last; without any
 * pair none is written, and the summary says why.
 */
export async function buildRolloutPairs(options: RolloutPairsOptions): Promise<RolloutSummary> {
  const { signal, reward, onProgress } = options;
  const expression = reward === undefined ? undefined : parseRewardExpression(reward);
  for (const path of [options.output, options.validation]) if (path !== undefined) await refuseUnwritable(path);
  await using sources = await openSources(options.inputs, {
    scratch: dirname(options.output),
    stdin: options.stdin,
    signal,
    onProgress,
  });
  await refuseOverwriting(options, sources.files);
  const read = await withReaders(sources.files, options.readers, options.from);
  const bytes = sources.files.reduce((sum, { size }) => sum + size, 0);
  const work = { ...options, reward: expression, use_full_message_history: true };
  const workers = startWork(work, read, { bytes, threads: options.threads });
  const ended = new AbortController();
  try {
    const hashes = hashesOf(sources.files, ended.signal);
    // Of interest only when all else went well.
    hashes.catch(() => undefined);
    const scanned = await scanSources(sources.files, workers, options);
    const skipped = { ...scanned.table.skipped };
    const couples = chooseCouples(scanned.table, options, skipped);
    const written = await writePairs(couples, scanned.table, workers, { ...options, sources: sources.files });
    addCounts(skipped, written.skipped);
    const summary = summaryOf(options, { scanned, skipped, written, couples: couples.size });
    summary.warnings.unshift(...sources.warnings, ...(summary.rollouts > 0 ? guessed(read, options) : []));
    const readers = read.map(({ name, reader_name }) => ({ name, reader: reader_name }));
    if (summary.pairs > 0) {
      await writeFileWhole(
        manifestPath(options.output),
        describeManifest(options, summary, { readers, sha256: await hashes }),
      );
    }
    return summary;
  } finally {
    ended.abort();
    await workers.stop();
  }
}

async function hashesOf(files: readonly SourceFile[], signal: AbortSignal): Promise<string[]> {
  const hashes: string[] = [];
  for (const { sha256 } of files) hashes.push(await sha256(signal));
  return hashes;
}

function guessed(read: readonly { name: string; reader_name: string }[], { from }: RolloutPairsOptions): string[] {
  if (from !== undefined) return [];
  const names = new Set(read.map(({ reader_name }) => reader_name));
  return [...names].map((name) => `read as ${name}, by the first rows; --from names another reader`);
}

async function refuseOverwriting(
  { output, validation }: RolloutPairsOptions,
  files: readonly SourceFile[],
): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => resolve(path));
  const outputs = [output, ...(validation === undefined ? [] : [validation])];
  const places = await Promise.all(outputs.map(real));
  const inputs = await Promise.all(files.map(({ name, path }) => real(name === "-" ? path : name)));
  for (const [number, place] of places.entries()) {
    const where = outputs[number];
    if (inputs.includes(place)) {
      const what = "this file is to be read, and would be replaced";
      throw usageError({ code: "output_is_input", where, what, fix: "give another --output" });
    }
  }
  if (new Set(places).size < places.length) {
    const what = "--output and --validation are one file";
    throw usageError({ code: "usage", where: validation, what, fix: "give two names" });
  }
}

async function writePairs(
  couples: CoupleList,
  table: RolloutTable,
  workers: Workers,
  { sources, ...options }: RolloutPairsOptions & { sources: readonly SourceFile[] },
): Promise<WrittenPairs> {
  const files = new PairFiles(options.output, options.validation);
  const [start, end] = partOf(couples, table, options.shard);
  let done = 0;
  try {
    await files.open();
    const jobs = jobsOf(couples, table, [start, end], options);
    // Used again, since the garbage of so much memory would be collected every few rows.
    const spare: RowMemory[] = [];
    for await (const { job, result } of inOrder(jobs, workers.ahead, (placed) =>
      workers.rows({ kind: "rows", couples: placed, memory: spare.pop() }),
    )) {
      options.signal?.throwIfAborted();
      if (result.refused !== undefined) throw wouldDropCalls(await whereOf(result.refused, sources), options);
      const pressure = files.add(result);
      spare.push([result.training.buffer as ArrayBuffer, result.validation.buffer as ArrayBuffer]);
      if (pressure !== undefined) await pressure;
      done += job.length;
      options.onProgress?.({ ...NOTHING, stage: "write", pairs: done, total_pairs: end - start });
    }
    return await files.finish();
  } finally {
    await files.discard();
  }
}

async function whereOf({ file, offset }: RolloutPlace, sources: readonly SourceFile[]): Promise<string> {
  const source = sources[file];
  return source === undefined ? "" : `${source.name}:${await lineAt(source.file, offset)}`;
}

function* jobsOf(
  couples: CoupleList,
  table: RolloutTable,
  [start, end]: readonly [start: number, end: number],
  { validation, validation_share }: RolloutPairsOptions,
): Generator<PlacedCouple[]> {
  const clusterOf = table.clusters();
  const sideOf = (rollout: number) =>
    validation === undefined ? "training" : sideOfKey("group", clusterOf(table.groupOf(rollout)), validation_share);
  for (let from = start; from < end; from += JOB_COUPLES) {
    const placed: PlacedCouple[] = [];
    for (let place = from; place < Math.min(end, from + JOB_COUPLES); place += 1) {
      const { chosen, rejected, chosen_score, rejected_score } = couples.get(place);
      const side = sideOf(chosen);
      const question = table.questionOf(chosen);
      placed.push({
        chosen: table.placeOf(chosen),
        rejected: table.placeOf(rejected),
        question,
        chosen_score,
        rejected_score,
        side,
      });
    }
    yield placed;
  }
}

/** The couples of one of n parts, from one to before another; the couples of a group stay together. */
function partOf(
  couples: CoupleList,
  table: RolloutTable,
  shard: { index: number; of: number } | undefined,
): [start: number, end: number] {
  if (shard === undefined) return [0, couples.size];
  const cut = (part: number) => {
    let place = Math.floor((couples.size * part) / shard.of);
    const groupAt = (at: number) => table.groupOf(couples.get(at).chosen);
    while (place > 0 && place < couples.size && groupAt(place) === groupAt(place - 1)) place += 1;
    return place;
  };
  return [cut(shard.index - 1), cut(shard.index)];
}

function wouldDropCalls(where: string, { completion, format_name }: RolloutPairsOptions) {
  const divergence = "--completion divergence (the first turn in which two rollouts differ)";
  // Some formats hold the calls of one message, and no turn of several.
  const [how, fix] = {
    text: [
      "the final text of a rollout that called tools says nothing of its calls",
      `${divergence} or turn, with --to trl-conversational or nemo-rl-ranked`,
    ],
    turn: [
      `rows of ${format_name} cannot hold a whole turn with its calls of tools`,
      `--to a format that holds them: trl-conversational, nemo-rl-ranked or azure; or ${divergence} with one of these or openai`,
    ],
    divergence: [
      `rows of ${format_name} cannot hold a call of a tool`,
      "--to a format that holds them, such as trl-conversational, nemo-rl-ranked or openai",
    ],
  }[completion];
  return usageError({
    code: "would_drop_tool_calls",
    where,
    what: `${how}, and a pair without them would teach another thing`,
    fix: `${fix}; or --allow-loss`,
  });
}
