import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { SPLIT_SALT, type SplitOptions } from "../datasets/split.ts";
import { exists, writeFileWhole } from "../lib/files.ts";
import type { Logger } from "../lib/log.ts";

/** `split.json` of an output folder: how the data sets of all its runs are split. */
const SplitRecord = z.object({
  by: z.enum(["example", "prompt", "group"]),
  validation: z.number(),
  salt: z.string(),
});

/**
 * The split to use in this output folder. What `auto` once came to stays: an example that was trained on in one round
 * must not turn up in the validation of the next. A setting that was changed on purpose is followed, and said.
 */
export async function splitFor<S extends SplitOptions>(output_dir: string, split: S, log: Logger): Promise<S> {
  const path = join(output_dir, "split.json");
  if (!(await exists(path))) return split;
  const before = SplitRecord.parse(JSON.parse(await readFile(path, "utf8")));
  if (before.validation !== split.validation || (split.by !== "auto" && before.by !== split.by)) {
    log.warn(
      `${path}: earlier runs were split by ${before.by} with ${before.validation} for validation; this one is not, so the two must not be trained together`,
    );
    return split;
  }
  // By example is tried again: as long as no prompt is shared it comes to the same, and a shared one must not leak.
  return before.by === "prompt" ? { ...split, by: "prompt" } : split;
}

/** Notes how a run was split, for the next one. */
export async function recordSplit(
  output_dir: string,
  used: { by: "example" | "prompt" | "group"; validation: number },
): Promise<void> {
  const record = { by: used.by, validation: used.validation, salt: SPLIT_SALT };
  await writeFileWhole(join(output_dir, "split.json"), `${JSON.stringify(record)}\n`);
}
