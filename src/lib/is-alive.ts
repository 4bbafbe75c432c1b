import { readFileSync } from "node:fs";
import { codeOf } from "./errors.ts";

/**
 * Whether a process of this machine works. One that ended and that nobody has asked after (a zombie, which may stay for
 * good in a container whose first process reaps none) does not, though it still has its id.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
  return !isZombie(pid);
}

/** Linux tells; elsewhere a process that has an id is taken for one that works. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // `pid (name) state …`: a name may hold anything.
    return /^ [ZX]/.test(stat.slice(stat.lastIndexOf(")") + 1));
  } catch {
    return false;
  }
}
