import { mkdir, readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { exists, writeFileWhole } from "../../lib/files.ts";
import { takeLock } from "../../lib/lock.ts";
import { RunManifest } from "../../records/manifest.ts";
import type { SkipCounts } from "../../registry/training.ts";
import { readManifest } from "../run-folder.ts";
import { recordSplit, splitFor } from "../split-record.ts";
import { type BuildPairsOptions, buildPairs, DATASET_MANIFEST, isEmpty, type PairsSummary } from "./build-pairs.ts";
import { outputDirOfMerged } from "./merge-output-dir.ts";
import { runsFile } from "./run-lines.ts";

/**
 * `buildPairs` for a folder that may be a run's own: nobody else writes there meanwhile, the split follows that of the
 * output folder's other runs, and the run's manifest tells the new counts.
 */
export async function rebuildPairs(options: BuildPairsOptions): Promise<PairsSummary> {
  const output = options.output ?? dirname(await runsFile(options.runs[0] ?? ""));
  await mkdir(output, { recursive: true });
  await using _lock = await takeLock(join(output, "run.lock"));
  return await buildLocked({ ...options, output });
}

async function buildLocked(options: BuildPairsOptions & { output: string }): Promise<PairsSummary> {
  const { output } = options;
  const manifest = await readManifest(output);
  const output_dir = manifest === undefined ? await outputDirOf(output) : dirname(resolve(output));
  if (output_dir === undefined) return buildPairs(options);
  const before = await skippedBefore(output);
  const pairs = await buildPairs({ ...options, split: await splitFor(output_dir, options.split) });
  if (!isEmpty(pairs)) await recordSplit(output_dir, pairs.split);
  if (manifest === undefined) return pairs;
  const { turns, candidates, training, validation, skipped, warnings } = pairs;
  const updated = RunManifest.parse({
    ...manifest,
    missing: addedUp(without(manifest.missing, before), skipped),
    counts: { ...manifest.counts, turns, candidates, pairs: pairs.pairs, training, validation },
    notes: [...new Set([...manifest.notes, ...warnings])],
  });
  await writeFileWhole(join(output, "manifest.json"), `${JSON.stringify(updated, null, 2)}\n`);
  return pairs;
}

/** That of a merged run, which has no manifest; a folder for pairs alone belongs to none. */
async function outputDirOf(output: string): Promise<string | undefined> {
  return (await exists(join(output, "runs.jsonl"))) ? outputDirOfMerged(output) : undefined;
}

/** What the last build of this folder left out: its part of the run manifest's `missing`. */
async function skippedBefore(output: string): Promise<SkipCounts> {
  const path = join(output, DATASET_MANIFEST);
  if (!(await exists(path))) return {};
  const { skipped } = JSON.parse(await readFile(path, "utf8")) as { skipped?: SkipCounts };
  return skipped ?? {};
}

function without(counts: SkipCounts, gone: SkipCounts): SkipCounts {
  const left = Object.entries(counts).map(([reason, times]) => [reason, times - (gone[reason] ?? 0)] as const);
  return Object.fromEntries(left.filter(([, times]) => times > 0));
}

function addedUp(counts: SkipCounts, more: SkipCounts): SkipCounts {
  const sum = { ...counts };
  for (const [reason, times] of Object.entries(more)) sum[reason] = (sum[reason] ?? 0) + times;
  return sum;
}
