import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { usageError } from "../../lib/errors.ts";
import { exists, isFile } from "../../lib/files.ts";
import { DATASET_MANIFEST } from "../pairs/build-pairs.ts";
import { PAIR_FILES } from "../pairs/draft.ts";
import { launchDirs } from "./launch-folder.ts";

/** Where the pairs of a training stand. Without a file of their own, those for validation are the rows that say so. */
export interface PairSource {
  training: string;
  validation: string | null;
}

/** The pairs that were named: a run's folder, a data-set folder, or a file. Errors: `no_such_file`, `no_pairs_here`. */
export async function namedPairs(path: string, validation: string | undefined): Promise<PairSource> {
  const there = resolve(path);
  if (validation !== undefined && !(await isFile(validation))) throw noSuchFile(resolve(validation));
  if (await isFile(there))
    return { training: there, validation: validation === undefined ? null : resolve(validation) };
  if (!(await exists(there))) throw noSuchFile(there);
  if (validation !== undefined) {
    throw usageError({
      code: "usage",
      where: "--validation-dataset",
      what: "--dataset is a folder, which has its own validation",
      fix: "leave it out, or name a file of pairs with --dataset",
    });
  }
  const pairs = join(there, PAIR_FILES.pairs);
  if (await isFile(pairs)) return { training: pairs, validation: null };
  for (const dir of [there, join(there, "dataset")]) {
    const [training, valid] = [join(dir, "training_file.jsonl"), join(dir, "validation_file.jsonl")];
    if ((await isFile(training)) && (await isFile(valid))) return { training, validation: valid };
  }
  throw usageError({
    code: "no_pairs_here",
    where: there,
    what: "this folder holds neither pairs.jsonl nor training_file.jsonl with validation_file.jsonl",
    fix: "name the folder of a run, a data-set folder, or a file of pairs",
  });
}

/** The pairs that were built last in these output folders, by a run or by the merge of a launch. Error: `no_pairs_yet`. */
export async function newestPairs(output_dirs: readonly string[]): Promise<PairSource> {
  let newest: { path: string; at: number } | undefined;
  for (const output_dir of new Set(output_dirs)) {
    for (const dir of await foldersOfRuns(output_dir)) {
      const [path, manifest] = [join(dir, PAIR_FILES.pairs), join(dir, DATASET_MANIFEST)];
      // The manifest is written last: without it the pairs are those of a build that did not come to its end.
      if (!(await isFile(manifest)) || !(await isFile(path))) continue;
      const { mtimeMs } = await stat(manifest);
      if (newest === undefined || mtimeMs > newest.at) newest = { path, at: mtimeMs };
    }
  }
  if (newest) return { training: newest.path, validation: null };
  throw usageError({
    code: "no_pairs_yet",
    where: output_dirs.join(", "),
    what: "no run here has made pairs",
    fix: "run `pairwright collect` first, or name pairs with --dataset",
  });
}

async function foldersOfRuns(output_dir: string): Promise<string[]> {
  if (!(await exists(output_dir))) return [];
  const entries = await readdir(output_dir, { withFileTypes: true });
  const runs = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(output_dir, name));
  const merged = (await launchDirs(output_dir)).map((dir) => join(dir, "merged"));
  return [...runs, ...merged];
}

function noSuchFile(where: string) {
  return usageError({
    code: "no_such_file",
    where,
    what: "the data set is not there",
    fix: "check the path that was given",
  });
}
