import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { forEachBounded } from "../../lib/concurrency.ts";
import { PairwrightError } from "../../lib/errors.ts";
import type { BlobStore, Received } from "./blob-store.ts";
import type { Edit } from "./edit-tree.ts";
import { gitOid, lfsPointer } from "./git-objects.ts";
import { filePath } from "./repo-paths.ts";

/** From this size on, the hub has files as large ones: git holds a pointer in their place. */
export const LARGE_BYTES = 10 * 2 ** 20;

const AT_ONCE = 2;

/** Takes in every file of a folder, each on disk when this returns; as the edits that put them at their paths. */
export async function filesOfFolder(blobs: BlobStore, dir: string): Promise<Edit[]> {
  const edits: Edit[] = [];
  const names = await readdir(dir, { recursive: true });
  await forEachBounded(names.sort(), AT_ONCE, async (name) => {
    const path = await realpath(join(dir, name));
    const found = await stat(path);
    if (found.isDirectory()) return;
    if (!found.isFile()) throw notAFile(join(dir, name));
    const inRepo = filePath(name.replaceAll("\\", "/"));
    const file = await blobs.take(path);
    edits.push(await keptFile(inRepo, file, file.size >= LARGE_BYTES));
  });
  return edits;
}

/** Gives a file its name for good, and says how a commit puts it at its path. */
export async function keptFile(path: string, file: Received, lfs: boolean): Promise<Edit> {
  try {
    const oid = lfs ? gitOid("blob", lfsPointer(file)) : await file.oid();
    await file.keep();
    return { do: "put", path, file: { oid, size: file.size, sha256: file.sha256, ...(lfs && { lfs }) } };
  } catch (error) {
    await file.discard();
    throw error;
  }
}

function notAFile(where: string): PairwrightError {
  return new PairwrightError({ code: "not_a_file", where, what: "only files and folders can be kept" });
}
