import { readFile } from "node:fs/promises";
import { type PairwrightError, usageError } from "../../lib/errors.ts";
import { exists } from "../../lib/files.ts";
import { noUsage } from "../../records/usage.ts";
import type { CollectResult } from "../collect.ts";
import { DATASET_MANIFEST, type PairsSummary } from "../pairs/build-pairs.ts";
import type { RunFolder } from "../run-folder.ts";

/** What collecting into this folder came to, from its files: when a training goes on, nothing is collected again. */
export async function storedResult(folder: Pick<RunFolder, "dir" | "manifest" | "path">): Promise<CollectResult> {
  const { asked, got, scores, usage } = folder.manifest;
  return {
    run_dir: folder.dir,
    examples: asked.examples,
    completed: got.completed,
    failed: got.failed,
    errors: {},
    scores: scores ?? {},
    score_errors: {},
    usage: usage ?? noUsage(),
    playing_seconds: 0,
    seconds: 0,
    pairs: await storedPairs(folder),
  };
}

async function storedPairs(folder: Pick<RunFolder, "dir" | "path">): Promise<PairsSummary> {
  const path = folder.path(DATASET_MANIFEST);
  if (!(await exists(path))) throw noDatasetFiles(path);
  const stored = JSON.parse(await readFile(path, "utf8")) as PairsSummary;
  return { ...stored, warnings: [], output: folder.dir };
}

/** Rows of a training that was begun are not there any more. */
export function noDatasetFiles(path: string): PairwrightError {
  return usageError({
    code: "no_dataset_files",
    where: path,
    what: "a training was begun here, and its data set is gone",
    fix: "start a new run without --resume",
  });
}
