import { codeOf, EXIT, PairwrightError, usageError } from "../../lib/errors.ts";

/** A file of weights that is not what it should be. */
export function badWeights(path: string, what: string, cause?: unknown): PairwrightError {
  return usageError({
    code: "bad_weights",
    where: path,
    what,
    fix: "copy the file from its source again",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What could not be written, in our words where the disk is full or the folder closed; any other error as it is. */
export function writeError(path: string, error: unknown): unknown {
  const code = codeOf(error) ?? "";
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new PairwrightError({
      code: "disk_full",
      where: path,
      what: "there is no room on the disk; nothing was left behind",
      fix: "make room, or choose a 16-bit dtype",
      exit_code: EXIT.training_failed,
      cause: error,
    });
  }
  if (["EACCES", "EROFS", "EPERM", "ENOTDIR", "ENOENT"].includes(code)) {
    return usageError({
      code: "output_not_writable",
      where: path,
      what: `nothing can be written here (${code})`,
      fix: "name a folder that you may write to",
      cause: error,
    });
  }
  return error;
}

/** What could not be read, in our words where it is not there; any other error as it is. */
export function readError(path: string, what: string, error: unknown): unknown {
  const code = codeOf(error) ?? "";
  if (!["ENOENT", "ENOTDIR", "EACCES", "EISDIR"].includes(code)) return error;
  return usageError({ code: "model_not_found", where: path, what: `${what} (${code})`, fix: "name a model's folder" });
}
