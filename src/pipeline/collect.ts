import { copyFile, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { exists } from "../lib/files.ts";
import { diskError } from "./disk-error.ts";
import { completedAt, type EvaluateResult, evaluateInto } from "./evaluate.ts";
import { chooseByCurriculum } from "./loop/curriculum.ts";
import { exampleSignals } from "./loop/example-signals.ts";
import { type BuildPairsOptions, buildPairs, isEmpty, type PairsSummary } from "./pairs/build-pairs.ts";
import type { Parts } from "./parts.ts";
import type { RunFolder } from "./run-folder.ts";
import type { RunOptions } from "./run-options.ts";
import { recordSplit, splitFor } from "./split-record.ts";

export interface CollectResult extends EvaluateResult {
  /** Absent when the run ended early. */
  pairs?: PairsSummary;
}

/** `eval`, then `candidates -> pairs -> split -> data-set files`, all into one run folder. */
export async function collectParts(parts: Parts, options: RunOptions): Promise<CollectResult> {
  const { folder, result } = await collectInto(parts, options);
  try {
    if (!result.stopped) await folder.update(completedAt(options));
    return result;
  } finally {
    await folder.close();
  }
}

/** As `collectParts`, with the run folder left open for the stages after it; `result.stopped` tells that there are none. */
export async function collectInto(
  parts: Parts,
  options: RunOptions,
): Promise<{ folder: RunFolder; result: CollectResult }> {
  const { folder, result } = await evaluateInto(parts, options);
  try {
    if (result.stopped || options.shard) return { folder, result };
    const pairs = await pairsInto(folder, parts, options);
    return { folder, result: { ...result, pairs } };
  } catch (error) {
    await folder.update({ status: "interrupted" }).catch(() => undefined);
    if (options.stop.aborted) return { folder, result: { ...result, stopped: "drained" } };
    await folder.close();
    throw diskError(folder.dir, error);
  }
}

/** Pairs and data set of the runs in a folder. */
async function pairsInto(folder: RunFolder, parts: Parts, options: RunOptions): Promise<PairsSummary> {
  const split = await splitFor(parts.output_dir, parts.pairs.split);
  const only = await trainedOn(folder, parts, options);
  const pairs = await buildPairs({
    ...parts.pairs,
    ...(await runsAndPool(folder, parts, options)),
    only,
    output: folder.dir,
    seed: options.seed,
    split,
    signal: options.stop,
    // Threads have heaps of their own, and this process has grown one already.
    threads: 0,
  });
  if (!isEmpty(pairs)) await recordSplit(parts.output_dir, pairs.split);
  const { turns, candidates, training, validation, skipped } = pairs;
  await folder.update({
    missing: { ...folder.manifest.missing, ...skipped },
    counts: { turns, candidates, pairs: pairs.pairs, training, validation },
    // A run that was resumed is told the same again.
    notes: [...new Set([...folder.manifest.notes, ...pairs.warnings])],
  });
  if (parts.pairs.dataset_output_dir !== null) await copyDataset(folder, parts.pairs.dataset_output_dir);
  return pairs;
}

/** The examples that a curriculum chooses by how they were scored last; undefined is all of them. */
async function trainedOn({ dir }: RunFolder, { pairs }: Parts, options: RunOptions): Promise<Set<string> | undefined> {
  const { curriculum, replay = [], seed, stop, log } = options;
  if (curriculum === undefined) return undefined;
  const { step_name } = pairs.builder;
  const signals = await exampleSignals([...replay, dir], { step_name, signal: stop });
  const chosen = chooseByCurriculum(signals, curriculum, seed);
  log.info(`curriculum: ${chosen.size} of ${signals.size} examples are trained on`);
  return chosen;
}

const POOL = "replay.jsonl";

/**
 * The runs to make pairs of: this one, and those that are played again. By prompt, the last of these has left all their
 * replies in one file, so that a round takes no longer than the one before.
 */
async function runsAndPool(
  { dir, path }: RunFolder,
  { pairs }: Parts,
  { replay, curriculum }: RunOptions,
): Promise<Pick<BuildPairsOptions, "runs" | "pool">> {
  // What a curriculum leaves out now may be wanted later: replies alone do not say which example they are of.
  if (replay === undefined || curriculum !== undefined || pairs.builder.group_by !== "prompt")
    return { runs: [...(replay ?? []), dir] };
  const to = path(POOL);
  const last = replay.at(-1);
  if (last === undefined) return { runs: [dir], pool: { to } };
  const from = join(last, POOL);
  return (await exists(from)) ? { runs: [dir], pool: { from, to } } : { runs: [...replay, dir], pool: { to } };
}

/** The data-set files once more, where the configuration asks for them: `<dataset_output_dir>/<run_id>/`. */
async function copyDataset(folder: RunFolder, dataset_output_dir: string): Promise<void> {
  const target = join(dataset_output_dir, basename(folder.dir));
  await mkdir(target, { recursive: true });
  for (const name of ["training_file.jsonl", "validation_file.jsonl"]) {
    await copyFile(folder.path(join("dataset", name)), join(target, name));
  }
}
