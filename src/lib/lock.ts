import { open, readFile, rm } from "node:fs/promises";
import { usageError } from "./errors.ts";

/** Holds a lock file with this process's id until it is given back. */
export interface Lock extends AsyncDisposable {
  release(): Promise<void>;
}

/**
 * Takes a lock file, or fails naming the process that has it. A lock whose process is gone (killed, or on a machine
 * that was restarted) is taken over.
 */
export async function takeLock(path: string): Promise<Lock> {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const file = await open(path, "wx");
      await file.writeFile(String(process.pid));
      await file.close();
      const release = () => rm(path, { force: true });
      return { release, [Symbol.asyncDispose]: release };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = Number((await readFile(path, "utf8").catch(() => "")).trim());
    if (holder > 0 && isAlive(holder)) {
      throw usageError({
        code: "locked",
        where: path,
        what: `process ${holder} is writing here`,
        fix: "wait for it or stop it; two writers would spoil each other's files",
      });
    }
    await rm(path, { force: true });
  }
  throw usageError({ code: "locked", where: path, what: "other processes keep taking this lock" });
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
