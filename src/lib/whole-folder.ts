import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { codeOf, usageError } from "./errors.ts";
import { flushFile, flushFolder } from "./flush.ts";

export interface WholeFolderOptions {
  /**
   * Whether a folder that is there, with something in it, is replaced. Default: it is refused with `output_not_empty`.
   */
  overwrite?: boolean | undefined;
}

/**
 * A folder that appears whole or not at all: `fill` writes into a temporary folder beside it (`.NAME.XXXX.partial`),
 * everything is flushed to disk, then it is renamed. On any error the temporary folder is removed. A folder that is
 * replaced is gone only after the new one is complete; between two renames neither stands under the name, which no file
 * system call avoids.
 */
export async function writeFolderWhole(
  path: string,
  fill: (dir: string) => Promise<void>,
  { overwrite = false }: WholeFolderOptions = {},
): Promise<void> {
  const target = resolve(path);
  if (!overwrite) await refuseNonEmpty(target, path);
  await mkdir(dirname(target), { recursive: true });
  const partial = join(dirname(target), `.${basename(target)}.${randomBytes(4).toString("hex")}.partial`);
  try {
    await mkdir(partial);
    await fill(partial);
    await flush(partial);
    await putInPlace(partial, target, { overwrite, path });
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
  await flushFolder(dirname(target));
}

async function putInPlace(
  partial: string,
  target: string,
  { overwrite, path }: { overwrite: boolean; path: string },
): Promise<void> {
  try {
    // An empty folder, or none, gives way.
    await rename(partial, target);
    return;
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST", "EPERM"].includes(codeOf(error) ?? "")) throw error;
    if (!overwrite) throw notEmpty(path);
  }
  const old = `${partial.slice(0, -".partial".length)}.old`;
  await rename(target, old);
  try {
    await rename(partial, target);
  } catch (error) {
    await rename(old, target);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}

async function refuseNonEmpty(target: string, path: string): Promise<void> {
  const names = await readdir(target).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    if (codeOf(error) === "ENOTDIR" && existsSync(target)) throw notEmpty(path);
    throw error;
  });
  if (names.length > 0) throw notEmpty(path);
}

function notEmpty(path: string) {
  return usageError({
    code: "output_not_empty",
    where: path,
    what: "there is something here already",
    fix: "name a new folder, or remove this one",
  });
}

/** Files before the folders that hold them. */
async function flush(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await flush(path);
    else if (entry.isFile()) await flushFile(path);
  }
  await flushFolder(dir);
}
