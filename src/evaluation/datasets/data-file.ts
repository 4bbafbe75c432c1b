import { access, constants, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { codeOf, usageError } from "../../lib/errors.ts";

/** A data file by both its names: as it was written, for people, and where it is. */
export interface DataFile {
  written: string;
  path: string;
}

/** Refuses what cannot be read as a file, before anything is read. */
export async function checkDataFile({ written, path }: DataFile): Promise<void> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) {
      throw usageError({
        code: "dataset_is_folder",
        where: written,
        what: "the data set is a folder, not a file",
        fix: "name the file inside it in file_path",
      });
    }
    await access(path, constants.R_OK);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") {
      const places = [...new Set([resolve(written), path])];
      throw usageError({
        code: "dataset_not_found",
        where: written,
        what: `there is no such data set; looked at ${places.join(" and ")}`,
        fix: "mend file_path, or name another file with --dataset",
        cause,
      });
    }
    if (code === "EACCES" || code === "EPERM") {
      throw usageError({
        code: "dataset_unreadable",
        where: written,
        what: "the data set may not be read",
        fix: "give yourself the right to read the file",
        cause,
      });
    }
    throw cause;
  }
}

/** The shape of a value in a word or two, for errors: never the value itself. */
export function shapeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (typeof value === "object") {
    const keys = Object.keys(value);
    const shown = keys.slice(0, 5).map((key) => `"${key}"`);
    return keys.length === 0 ? "an empty object" : `an object with ${shown.join(", ")}${keys.length > 5 ? ", …" : ""}`;
  }
  return `a ${typeof value}`;
}

/** Whether a value can be a row. */
export function isRow(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
