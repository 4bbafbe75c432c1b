import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { codeOf, usageError } from "./errors.ts";

/** Holds a lock file with this process's id until it is given back. */
export interface Lock extends AsyncDisposable {
  release(): Promise<void>;
}

const NO_HARD_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/**
 * Takes a lock file, or fails naming the process that has it. A lock whose process is gone (killed, or on a machine
 * that was restarted) is taken over.
 */
export async function takeLock(path: string): Promise<Lock> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    if (await create(path)) {
      const release = () => rm(path, { force: true });
      return { release, [Symbol.asyncDispose]: release };
    }
    const holder = await holderOf(path);
    if (holder > 0 && isAlive(holder)) {
      throw usageError({
        code: "locked",
        where: path,
        what: `process ${holder} is writing here`,
        fix: "wait for it or stop it; two writers would spoil each other's files",
      });
    }
    await takeAway(path, holder);
  }
  throw usageError({ code: "locked", where: path, what: "other processes keep taking this lock" });
}

/** Makes the file with the id already in it: nobody may find it empty and take it for a dead one's. */
async function create(path: string): Promise<boolean> {
  const mine = `${path}.${process.pid}`;
  await writeFile(mine, String(process.pid));
  try {
    await link(mine, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    if (!NO_HARD_LINKS.includes(codeOf(error) ?? "")) throw error;
    return await createPlainly(path);
  } finally {
    await rm(mine, { force: true });
  }
}

async function createPlainly(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes a dead process's lock, unless it is another one's by now: then that one gets it back. */
async function takeAway(path: string, dead: number): Promise<void> {
  const away = `${path}.${process.pid}.old`;
  try {
    await rename(path, away);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  if ((await holderOf(away)) !== dead) await link(away, path).catch(() => undefined);
  await rm(away, { force: true });
}

/** 0 when nobody's id stands there. */
async function holderOf(path: string): Promise<number> {
  const id = Number((await readFile(path, "utf8").catch(() => "")).trim());
  return Number.isInteger(id) ? id : 0;
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}
