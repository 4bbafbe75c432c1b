import { codeOf, EXIT, PairwrightError, usageError } from "../lib/errors.ts";

const FULL = ["ENOSPC", "EDQUOT"];
const CLOSED = ["EACCES", "EROFS", "EPERM", "ENOTDIR", "EEXIST"];

/** A run that a full disk stopped, in our words; any other error as it is. Everything written is whole, so it can go on. */
export function diskError(where: string, error: unknown): unknown {
  if (!FULL.includes(codeOf(error) ?? "")) return error;
  return new PairwrightError({
    code: "disk_full",
    where,
    what: "the disk is full; everything written so far is whole",
    fix: "make room, then go on with --resume",
    exit_code: EXIT.interrupted,
    cause: error,
  });
}

/** A folder for results in which nothing can be made, in our words; any other error as it is. */
export function unwritable(output_dir: string, error: unknown): unknown {
  const code = codeOf(error) ?? "";
  if (!CLOSED.includes(code)) return diskError(output_dir, error);
  return usageError({
    code: "output_not_writable",
    where: output_dir,
    what: `results cannot be written here (${code})`,
    fix: "set eval.general.output_dir to a folder that you may write to",
    cause: error,
  });
}
