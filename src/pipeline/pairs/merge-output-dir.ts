import { lstat, realpath } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { exists } from "../../lib/files.ts";
import { isLaunchDir } from "../launch/launch-folder.ts";

/**
 * The output folder that a merged run belongs to, whose other data sets must be split as its own is: the one that it lies
 * in, or that the launch lies in which it is of. Undefined where it lies by itself.
 */
export async function outputDirOfMerged(output: string): Promise<string | undefined> {
  // A link's own place is of no interest, and the folder may not be there yet.
  const there = await realpath(output).catch(() => resolve(output));
  const parent = dirname(there);
  if (await isLaunchDir(parent)) return dirname(parent);
  return (await holdsRuns(parent)) ? parent : undefined;
}

/** Every run leaves `latest`, and every data set `split.json`. */
async function holdsRuns(dir: string): Promise<boolean> {
  if (await exists(join(dir, "split.json"))) return true;
  const latest = await lstat(join(dir, "latest")).catch(() => undefined);
  return latest?.isSymbolicLink() === true;
}
