import { stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, usageError } from "../lib/errors.ts";

/** The files of a data set. */
export interface DatasetFiles {
  training_file: string;
  /** `null` when there is none, or nothing in it. */
  validation_file: string | null;
}

/**
 * The files of a data set that is named by a folder (`training_file.jsonl`, and `validation_file.jsonl` where it is
 * there) or by one file of rows to train on. Errors: `dataset_missing`.
 */
export async function findDatasetFiles(path: string): Promise<DatasetFiles> {
  const there = await kindOf(path);
  if (there?.kind === "file") return { training_file: path, validation_file: null };
  if (there === null) throw missing(path, "there is no such file or folder");
  const training_file = join(path, "training_file.jsonl");
  if ((await kindOf(training_file))?.kind !== "file") throw missing(path, "the folder holds no training_file.jsonl");
  const validation_file = join(path, "validation_file.jsonl");
  const validation = await kindOf(validation_file);
  const used = validation?.kind === "file" && validation.bytes > 0;
  return { training_file, validation_file: used ? validation_file : null };
}

async function kindOf(path: string): Promise<{ kind: "file" | "folder"; bytes: number } | null> {
  try {
    const found = await stat(path);
    return { kind: found.isDirectory() ? "folder" : "file", bytes: found.size };
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
}

function missing(where: string, what: string) {
  return usageError({
    code: "dataset_missing",
    where,
    what,
    fix: "give a JSONL file of rows, or a data-set folder as `pairwright collect` and `pairwright pairs` write it",
  });
}
