import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { codeOf, type PairwrightError, usageError } from "./errors.ts";
import { isAlive } from "./is-alive.ts";

/** Holds a lock file with this process's id until it is given back. */
export interface Lock extends AsyncDisposable {
  release(): Promise<void>;
}

/** Tells this process's locks from those of an earlier one that had the same id, as in a container. */
const NONCE = randomUUID();

const NO_HARD_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/**
 * Takes a lock file, or fails naming the process that has it. A lock whose process is gone (killed, or on a machine
 * that was restarted) is taken over, by one process even if many want it at the same moment.
 */
export async function takeLock(path: string): Promise<Lock> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    if ((await create(path)) || (await takeOver(path))) {
      const release = () => rm(path, { force: true });
      return { release, [Symbol.asyncDispose]: release };
    }
  }
  throw usageError({ code: "locked", where: path, what: "other processes keep taking this lock" });
}

/** Fails as `takeLock` does while a living process has the lock, and takes nothing. */
export async function refuseWhileLocked(path: string): Promise<void> {
  await refuseWhileAlive(path, path);
}

/** Makes the file with the id already in it: nobody may find it empty and take it for a dead one's. */
async function create(path: string): Promise<boolean> {
  const mine = await writeMine(path);
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
    await writeFile(path, mark(), { flag: "wx" });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/**
 * Puts this process in a dead one's place; false when there is nothing to take any more. Only one at a time may look
 * and do so: else a second one, that looked before, would put itself in the first one's place.
 */
async function takeOver(path: string): Promise<boolean> {
  await refuseWhileAlive(path, path);
  const turn = `${path}.takeover`;
  if (!(await create(turn))) {
    await refuseWhileAlive(turn, path);
    // Killed in the very act.
    await rm(turn, { force: true });
    return false;
  }
  try {
    if (!(await refuseWhileAlive(path, path))) return false;
    await rename(await writeMine(path), path);
    return true;
  } finally {
    await rm(turn, { force: true });
  }
}

async function writeMine(path: string): Promise<string> {
  const mine = `${path}.${randomUUID().slice(0, 8)}`;
  await writeFile(mine, mark());
  return mine;
}

/** Throws when the process whose id stands in `file` is alive. True when it is dead, false when there is no file. */
async function refuseWhileAlive(file: string, path: string): Promise<boolean> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
  const [pid = "", host = hostname(), nonce] = text.trim().split(" ");
  const holder = Number(pid);
  if (!Number.isInteger(holder) || holder <= 0) return true;
  if (host !== hostname()) throw locked(path, `${pid} on ${host}`, `remove this file if that process is gone`);
  // Our own id with another nonce is that of a process before us.
  const isOther = holder !== process.pid && isAlive(holder);
  if (nonce === NONCE || isOther) throw locked(path, pid, "wait for it or stop it");
  return true;
}

/** Process id, host and nonce: what another process needs to judge whether the lock is still held. */
function mark(): string {
  return `${process.pid} ${hostname()} ${NONCE}`;
}

function locked(path: string, holder: string, fix: string): PairwrightError {
  return usageError({
    code: "locked",
    where: path,
    what: `process ${holder} is writing here; two writers would spoil each other's files`,
    fix,
  });
}
