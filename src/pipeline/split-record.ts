import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { SPLIT_SALT, type SplitBy, type SplitOptions } from "../datasets/split.ts";
import { messageOf, usageError } from "../lib/errors.ts";
import { exists, writeFileWhole } from "../lib/files.ts";

/** `split.json` of an output folder: how the data sets of all its runs are split. */
const SplitRecord = z.object({
  by: z.enum(["example", "prompt", "group"]),
  validation: z.number(),
  salt: z.string(),
});

/** How the data sets that are there already were split. */
export type SplitBefore = z.infer<typeof SplitRecord>;

/**
 * The split to use in this output folder, with what it was before. What `auto` once came to stays: an example that was
 * trained on in one round must not turn up in the validation of the next. A setting that was changed on purpose is
 * followed, and `splitWarnings` says so.
 */
export async function splitFor<S extends SplitOptions>(
  output_dir: string,
  split: S,
): Promise<S & { before?: SplitBefore | undefined }> {
  const before = await readRecord(join(output_dir, "split.json"));
  if (before === undefined) return split;
  // By example is tried again: as long as no prompt is shared it comes to the same, and a shared one must not leak.
  const by = split.by === "auto" && before.by === "prompt" ? before.by : split.by;
  return { ...split, by, before };
}

/** What a person should know of a split that came out as `by` and is not as the earlier ones were; empty when it is. */
export function splitWarnings(split: SplitOptions & { before?: SplitBefore | undefined }, by: SplitBy): string[] {
  const { before } = split;
  if (before === undefined) return [];
  const differences: string[] = [];
  if (before.by !== by) differences.push(`by ${before.by}, this one by ${by}`);
  if (before.validation !== split.validation) {
    differences.push(`with ${before.validation} for validation, this one with ${split.validation}`);
  }
  if (before.salt !== SPLIT_SALT) differences.push("with another salt");
  if (differences.length === 0) return [];
  return [
    `earlier data sets of this output folder were split ${differences.join(", and ")}: what was for training there may be for validation here, so the two must not be trained together`,
  ];
}

/** Notes how a run was split, for the next one. */
export async function recordSplit(output_dir: string, used: { by: SplitBy; validation: number }): Promise<void> {
  const record: SplitBefore = { by: used.by, validation: used.validation, salt: SPLIT_SALT };
  await writeFileWhole(join(output_dir, "split.json"), `${JSON.stringify(record)}\n`);
}

async function readRecord(path: string): Promise<SplitBefore | undefined> {
  if (!(await exists(path))) return undefined;
  try {
    return SplitRecord.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw usageError({
      code: "bad_split_record",
      where: path,
      what: `this record of the split cannot be read: ${messageOf(cause, 200)}`,
      fix: "restore it; or remove it, when no model was trained on data sets of this folder",
      cause,
    });
  }
}
