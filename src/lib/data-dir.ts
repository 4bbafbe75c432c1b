import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { codeOf, usageError } from "./errors.ts";

/** Where programs keep what is the user's and no configuration: `$XDG_DATA_HOME/NAME`, else `~/.local/share/NAME`. */
export function dataDir(name: string, env: Record<string, string | undefined>): string {
  const base = env.XDG_DATA_HOME;
  // The standard has relative ones ignored.
  return join(base?.startsWith("/") ? base : join(homedir(), ".local", "share"), name);
}

/** Makes such a folder, with those above it, where it is not there. Error: `data_folder_unusable`. */
export async function makeDataDir(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
  } catch (error) {
    const code = codeOf(error) ?? "";
    if (!["EACCES", "EROFS", "EPERM", "ENOTDIR", "EEXIST"].includes(code)) throw error;
    throw usageError({
      code: "data_folder_unusable",
      where: dir,
      what: `the folder for the platform's data cannot be made (${code})`,
      fix: "set XDG_DATA_HOME, or --data, to a folder that you may write to",
      cause: error,
    });
  }
}
