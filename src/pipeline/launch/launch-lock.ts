import { join } from "node:path";
import { PairwrightError } from "../../lib/errors.ts";
import { exists } from "../../lib/files.ts";
import { type Lock, refuseWhileLocked, takeLock } from "../../lib/lock.ts";
import type { JobStanding } from "./job-states.ts";

/** Says who runs a launch on this machine, for as long as it does. Error: `locked` while another process does. */
export async function lockLaunch(dir: string): Promise<Lock> {
  return await takeLock(join(dir, "launch.lock"));
}

/** How a launch stands that runs on this machine; undefined when none is under way, and none was killed. */
export async function localStanding(dir: string): Promise<JobStanding | undefined> {
  const path = join(dir, "launch.lock");
  if (!(await exists(path))) return undefined;
  try {
    await refuseWhileLocked(path);
    return {
      state: "failed",
      said: "the process that ran it on this machine is gone, and what it had started with it",
    };
  } catch (error) {
    if (!PairwrightError.is(error) || error.code !== "locked") throw error;
    return { state: "running", said: error.what.replace(/;.*/, "") };
  }
}
