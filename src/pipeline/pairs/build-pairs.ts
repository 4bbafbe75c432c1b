import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SPLIT_SALT, type SplitBy, type SplitOptions } from "../../datasets/split.ts";
import { writeFileWhole } from "../../lib/files.ts";
import { turnsOf } from "../../preferences/candidates.ts";
import type { DatasetFormat, SkipCounts, TrajectoryBuilder } from "../../registry/training.ts";
import { type SplitBefore, splitWarnings } from "../split-record.ts";
import { PairBatcher } from "./batch.ts";
import { openPromptBuckets } from "./by-prompt.ts";
import { type Finished, PAIR_FILES, PairsDraft } from "./draft.ts";
import type { PairBatch } from "./entries.ts";
import { openPoolWriter, readPool } from "./prompt-pool.ts";
import type { Rescore } from "./rescore.ts";
import { openRunIndex, type RunIndex, runsFile } from "./run-lines.ts";
import { parseRun, readWhole, storedLines, storedRuns, turnReader } from "./source.ts";
import { threadBatches, threadsFor } from "./threads.ts";
import { addCounts, addYield, countRun, noYield, type PairYield } from "./yield.ts";

/** Bytes of lines after which a batch is passed on. */
const BATCH_BYTES = 1 << 20;

export const DATASET_MANIFEST = "dataset/manifest.json";

/** What to build, from which runs, and how. */
export interface BuildPairsOptions {
  /** Folders of runs, or `runs.jsonl` files. Several are one data set; a run that stands in two of them counts twice. */
  runs: readonly string[];
  /** The examples that pairs are made of; all of them unless told. */
  only?: ReadonlySet<string> | undefined;
  /** Where the files go; the folder of the first run unless told. */
  output?: string | undefined;
  builder: TrajectoryBuilder;
  format: DatasetFormat;
  /** The format's name, for the manifest. */
  format_name: string;
  use_full_message_history: boolean;
  /**
   * What the data-set files are for. `dpo`: a row a pair. `sft`: a row a turn, of its best reply (see `bestOf` of the
   * builder); with `group_by: prompt` a row a prompt. The pairs are the same.
   */
  training_type: "dpo" | "sft";
  /** Of equal pairs the first stays; of equal rows of `sft` likewise. */
  deduplicate_pairs: boolean;
  /** A sample of at most so many pairs, by a hash of `seed` and the pair's id, and of rows of `sft`; null is all of them. */
  max_pairs: number | null;
  /** That of the runs themselves unless told; where they have several, the first one's. */
  seed?: number | undefined;
  /** `before` is how the output folder's earlier data sets were split: to be told of what is not as it was. */
  split: SplitOptions & { before?: SplitBefore | undefined };
  /** Threads beside this one; as many as the size of the runs is worth unless told. They change no byte. */
  threads?: number | undefined;
  /** Other scores for the stored candidates. */
  rescore?: Rescore | undefined;
  /** With `group_by: prompt`: replies of builds before, and where those of this one are left for the next. */
  pool?: { from?: string | undefined; to: string } | undefined;
  signal?: AbortSignal | undefined;
}

/** What came out, and why anything did not. */
export interface PairsSummary {
  runs: number;
  /** Runs that failed; nothing is taken from them. */
  failed_runs: number;
  candidates: number;
  turns: number;
  pairs: number;
  training_type: "dpo" | "sft";
  /** Rows of the data-set files. */
  training: number;
  validation: number;
  /** What was left out, by reason: see `turnsOf`, `dpoTrajBuilder`, `contenderGroups`, and here: `duplicate`,
   * `contradiction`, `over_max_pairs` (pairs), `unwritable_row` (pairs of `pairs.jsonl` that the format cannot hold; with
   * `sft` best replies); with `sft` also `no_completion` (turns without a reply fit to be learned), `duplicate_row`,
   * `over_max_rows`. */
  skipped: SkipCounts;
  /** Turns of at least two scored candidates, all with the same score. */
  turns_without_signal: number;
  /** null when nobody counted tokens. */
  pairs_per_1000_tokens: number | null;
  /** Candidates that are known to come from code, not from a model. */
  off_policy_candidates: number;
  /** What the rows leave out, by what it is; `unwritable_row` counts those of which it was too much. */
  lost_fields: Record<string, number>;
  split: { by: SplitBy; asked: SplitOptions["by"]; validation: number; salt: string; moved_to_training: number };
  warnings: string[];
  output: string;
}

/** Whether neither a pair nor a row came out. */
export function isEmpty({
  pairs,
  training,
  validation,
}: Pick<PairsSummary, "pairs" | "training" | "validation">): boolean {
  return pairs + training + validation === 0;
}

/**
 * Builds `pairs.jsonl` and the data-set files from stored runs; no model is called. The same runs give the same bytes,
 * in whatever order their lines stand. Each file appears whole, in place of an earlier build's; the manifest comes last.
 * No pairs at all is no error here: the summary says why.
 */
export async function buildPairs(asked: BuildPairsOptions): Promise<PairsSummary> {
  const paths = await Promise.all(asked.runs.map(runsFile));
  const output = asked.output ?? dirname(paths[0] ?? "");
  await using index = await openRunIndex(paths, { signal: asked.signal, only: asked.only });
  const options = { ...asked, seed: asked.seed ?? [...index.seeds.keys()][0] ?? 0 };
  const draft = new PairsDraft({ ...options, output, contradictions: options.builder.contradictions });
  const found = noYield();
  try {
    await draft.open();
    for await (const batch of batchesOf(index, paths, options, output)) {
      draft.add(batch);
      addYield(found, batch.found);
      const pressure = draft.pressure();
      if (pressure !== undefined) await pressure;
    }
    options.signal?.throwIfAborted();
    // While files of two builds stand side by side, no manifest may vouch for them.
    await rm(join(output, DATASET_MANIFEST), { force: true });
    const finished = await draft.finish();
    const summary = summaryOf(options, output, index, found, finished);
    await writeFileWhole(join(output, DATASET_MANIFEST), manifestOf(options, summary, finished));
    return summary;
  } finally {
    await draft.discard();
  }
}

type Seeded = BuildPairsOptions & { seed: number };

/** The pairs of all runs, in order, some at a time; each batch is good until the next one is asked for. */
function batchesOf(
  index: RunIndex,
  paths: readonly string[],
  options: Seeded,
  output: string,
): AsyncGenerator<PairBatch> {
  if (options.builder.group_by === "prompt") return promptBatches(index, options, output);
  // A scorer is live code, which no thread can be given.
  const threads = options.rescore ? 0 : threadsFor(index, options, options.threads);
  return threads > 0 ? threadBatches(index, paths, options, threads) : turnBatches(index, options);
}

async function* turnBatches(index: RunIndex, options: Seeded): AsyncGenerator<PairBatch> {
  const batcher = new PairBatcher(options);
  const read = turnReader();
  for await (const lines of storedLines(index, options.signal)) {
    for (const line of lines) {
      // Another scorer is given the whole run.
      if (options.rescore) batcher.addRun(await options.rescore(parseRun(line, readWhole)));
      else if (!batcher.addPlain(line.bytes)) batcher.addRun(parseRun(line, read));
    }
    yield batcher.batch();
  }
}

async function* promptBatches(index: RunIndex, options: Seeded, output: string): AsyncGenerator<PairBatch> {
  const { builder, signal } = options;
  const batcher = new PairBatcher(options);
  await using buckets = await openPromptBuckets(output, index.bytes);
  await using pool = options.pool && (await openPoolWriter(options.pool.to));
  if (options.pool?.from !== undefined) addYield(batcher.found, await readPool(options.pool.from, buckets, signal));
  const read = options.rescore ? undefined : turnReader();
  for await (const runs of storedRuns(index, signal, read)) {
    for (const stored of runs) {
      const run = options.rescore ? await options.rescore(stored.run) : stored.run;
      const turns = turnsOf(run, builder.step_name, batcher.found.skipped);
      countRun(batcher.found, run, turns);
      for (const turn of turns) buckets.add(turn);
      const pressure = buckets.pressure();
      if (pressure !== undefined) await pressure;
    }
  }
  pool?.begin(batcher.found);
  for await (const group of buckets.groups(signal)) {
    await pool?.add(group.replies);
    batcher.nextTurn();
    for (const pair of builder.pairsOf(group.turn, batcher.found.skipped)) {
      const placed = group.place(pair);
      batcher.addPair(placed.pair, placed.group);
    }
    if (options.training_type === "sft") {
      const best = builder.bestOf?.(group.turn);
      batcher.addBest(best, group.sourceOf(best));
    }
    if (batcher.bytes > BATCH_BYTES) yield batcher.batch();
  }
  await pool?.finish();
  yield batcher.batch();
}

function summaryOf(
  options: Seeded,
  output: string,
  index: RunIndex,
  found: PairYield,
  { by, pairs, training, validation, unwritable, moved_to_training, skipped, lost_fields, warnings }: Finished,
): PairsSummary {
  const { split } = options;
  if (unwritable > 0) addCounts(skipped, { unwritable_row: unwritable });
  addCounts(skipped, found.skipped);
  // All tokens of the runs; those of the candidates alone when the runs counted none.
  const tokens = found.run_tokens > 0 ? found.run_tokens : found.candidate_tokens;
  return {
    runs: found.runs,
    failed_runs: index.failed,
    candidates: found.candidates,
    turns: found.turns,
    pairs,
    training_type: options.training_type,
    training,
    validation,
    skipped: sorted(skipped),
    turns_without_signal: found.turns_without_signal,
    pairs_per_1000_tokens: tokens > 0 ? (pairs * 1000) / tokens : null,
    off_policy_candidates: found.off_policy_candidates,
    lost_fields: sorted(lost_fields),
    split: { by, asked: split.by, validation: split.validation, salt: SPLIT_SALT, moved_to_training },
    warnings: [
      ...index.warnings,
      ...warnings,
      ...unwritableWarning(options.training_type, unwritable, unwritable + training + validation),
      ...(isEmpty({ pairs, training, validation }) ? [] : splitWarnings(split, by)),
    ],
    output,
  };
}

/** A few rows less are a count; most of them missing is something to be told. */
function unwritableWarning(type: "dpo" | "sft", unwritable: number, all: number): string[] {
  if (unwritable * 2 <= all) return [];
  const [what, where] = type === "dpo" ? ["pairs", PAIR_FILES.pairs] : ["best replies", "runs.jsonl"];
  return [`${unwritable} of ${all} ${what} have no row, since this format cannot hold them: they are in ${where}`];
}

/** No time and no place in it: the same runs give the same manifest. */
function manifestOf(options: Seeded, summary: PairsSummary, { sha256 }: Finished): string {
  const { output: _, warnings: __, training_type, ...counts } = summary;
  const manifest = {
    format: options.format_name,
    use_full_message_history: options.use_full_message_history,
    training_type,
    deduplicate_pairs: options.deduplicate_pairs,
    max_pairs: options.max_pairs,
    seed: options.seed,
    files: {
      [basename(PAIR_FILES.training)]: { rows: summary.training, sha256: sha256.training },
      [basename(PAIR_FILES.validation)]: { rows: summary.validation, sha256: sha256.validation },
    },
    ...counts,
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function sorted(counts: SkipCounts): SkipCounts {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}
