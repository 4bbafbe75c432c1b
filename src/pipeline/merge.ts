import { join } from "node:path";
import { writeFileWhole } from "../lib/files.ts";
import { type BuildPairsOptions, buildPairs, type PairsSummary } from "./pairs.ts";
import { openRunIndex, type RunIndex, runsFile } from "./pairs-index.ts";
import { storedLines } from "./pairs-source.ts";

/** What came of a merge. */
export interface MergeResult {
  /** Runs of examples that the merged file holds, failed ones included. */
  merged: number;
  /** Lines that gave way to a later one of the same example, rep and run: within a file, or in a later folder. */
  replaced: number;
  pairs: PairsSummary;
}

/**
 * Shards of a run, or several runs, as one: their lines, unchanged and in the data set's order, become one `runs.jsonl`
 * in `output`, and pairs are built of that once. So the files are those that one undivided run would have given.
 */
export async function mergeRuns(options: BuildPairsOptions & { output: string }): Promise<MergeResult> {
  const paths = await Promise.all(options.runs.map(runsFile));
  const merged = join(options.output, "runs.jsonl");
  await using index = await openRunIndex(paths, { with_failed: true, one_of_each_key: true });
  await writeFileWhole(merged, linesOf(index, options.signal));
  const pairs = await buildPairs({ ...options, runs: [merged] });
  return {
    merged: index.size,
    replaced: index.superseded,
    pairs: { ...pairs, warnings: [...index.warnings, ...pairs.warnings] },
  };
}

async function* linesOf(index: RunIndex, signal: AbortSignal | undefined): AsyncGenerator<string> {
  for await (const lines of storedLines(index, signal)) {
    for (const { text } of lines) yield `${text}\n`;
  }
}
