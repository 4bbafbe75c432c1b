import type { BigIntStats } from "node:fs";
import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { type PairwrightError, usageError } from "../../lib/errors.ts";

/** Notices when files that were read together are written meanwhile. */
export interface FileWatch {
  /** Remembers a file as it is now, before it is read. `file`, if it is open already. */
  add(path: string, file?: FileHandle): Promise<void>;
  /** Reads a text file, remembered before. */
  text(path: string): Promise<string>;
  /** Fails with `model_changed`, naming the first file that is no longer what it was when it was remembered. */
  check(): Promise<void>;
}

/**
 * A watch over the files of one model: size, times and identity of each before the first byte is read, compared when
 * all is read. What was read in between is thrown away with the error, so a mixture of two models is never used.
 */
export function fileWatch(): FileWatch {
  const seen = new Map<string, string>();
  async function add(path: string, file?: FileHandle): Promise<void> {
    if (seen.has(path)) return;
    seen.set(path, marks(file === undefined ? await stat(path, { bigint: true }) : await file.stat({ bigint: true })));
  }
  return {
    add,
    async text(path) {
      const file = await open(path, "r");
      try {
        await add(path, file);
        return await readFile(file, "utf8");
      } finally {
        await file.close();
      }
    },
    async check() {
      for (const [path, before] of seen) {
        const now = await stat(path, { bigint: true }).catch(() => null);
        if (now === null || marks(now) !== before) throw changed(path);
      }
    },
  };
}

/**
 * A write changes time or size, a file put in its place the inode. The change time also catches a modification time
 * that was set back.
 */
function marks({ dev, ino, size, mtimeNs, ctimeNs, nlink }: BigIntStats): string {
  // Another name that is given to a file, or taken from it, changes its ctime, and nothing that is read.
  return [dev, ino, size, mtimeNs, ...(nlink > 1n ? [] : [ctimeNs])].join(" ");
}

function changed(path: string): PairwrightError {
  return usageError({
    code: "model_changed",
    where: path,
    what: "the file was written or replaced while the model was being read",
    fix: "wait until the other program has finished writing, then try again",
  });
}
