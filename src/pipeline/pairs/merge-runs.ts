import { copyFile, mkdir, realpath } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { usageError } from "../../lib/errors.ts";
import { exists, writeFileWhole } from "../../lib/files.ts";
import { takeLock } from "../../lib/lock.ts";
import { recordSplit, splitFor } from "../split-record.ts";
import { type BuildPairsOptions, buildPairs, isEmpty, type PairsSummary } from "./build-pairs.ts";
import { refuseDifferentRuns } from "./merge-check.ts";
import { outputDirOfMerged } from "./merge-output-dir.ts";
import { openRunIndex, type RunIndex, runsFile } from "./run-lines.ts";
import { storedLines } from "./source.ts";

/** What came of a merge. */
export interface MergeResult {
  /** Runs of examples that the merged file holds, failed ones included. */
  merged: number;
  /**
   * Lines that gave way to another one of the same example, rep and run: a later one of its file or of a later folder,
   * or a completed one to a failed one.
   */
  replaced: number;
  pairs: PairsSummary;
}

/**
 * Shards of a run, or several runs, as one: their lines, unchanged and in the data set's order, become one `runs.jsonl`
 * in `output`, and pairs are built of that once. So the files are those that one undivided run would have given. Runs
 * that differ in their seed, their data or their configuration are no such run: they are refused. In an output folder of
 * runs the split follows that of the others, and is noted for the next.
 */
export async function mergeRuns(options: BuildPairsOptions & { output: string }): Promise<MergeResult> {
  const { output, signal } = options;
  const paths = await Promise.all(options.runs.map(runsFile));
  await refuseRunFolder(output, paths);
  const merged = join(output, "runs.jsonl");
  await using index = await openRunIndex(paths, { with_failed: true, one_of_each_key: true, signal });
  await refuseDifferentRuns(paths, index.seeds);
  await mkdir(output, { recursive: true });
  await using _lock = await takeLock(join(output, "run.lock"));
  const output_dir = await outputDirOfMerged(output);
  const split = output_dir === undefined ? options.split : await splitFor(output_dir, options.split);
  await writeFileWhole(merged, linesOf(index, signal));
  // So that pairs can be built again as the runs themselves had it.
  const config = join(dirname(paths[0] ?? ""), "config_effective.yml");
  if (await exists(config)) await copyFile(config, join(output, "config_effective.yml"));
  const pairs = await buildPairs({ ...options, runs: [merged], split });
  if (output_dir !== undefined && !isEmpty(pairs)) await recordSplit(output_dir, pairs.split);
  return {
    merged: index.size,
    replaced: index.superseded,
    pairs: { ...pairs, warnings: [...index.warnings, ...pairs.warnings] },
  };
}

/** Writing over what is being read would end with neither; what another run has collected is nobody's to replace. */
async function refuseRunFolder(output: string, paths: readonly string[]): Promise<void> {
  const there = await realpath(output).catch(() => resolve(output));
  for (const path of paths) {
    if ((await realpath(dirname(path))) !== there) continue;
    throw usageError({
      code: "output_is_input",
      where: output,
      what: "the merged run would replace one of the runs that it is made of",
      fix: "give --output another folder",
    });
  }
  if (!(await exists(join(output, "manifest.json")))) return;
  throw usageError({
    code: "output_is_run",
    where: output,
    what: "this is the folder of a collected run, whose runs would be replaced",
    fix: "give --output another folder",
  });
}

async function* linesOf(index: RunIndex, signal: AbortSignal | undefined): AsyncGenerator<string> {
  for await (const lines of storedLines(index, signal)) {
    for (const { bytes } of lines) yield `${bytes.toString("utf8")}\n`;
  }
}
