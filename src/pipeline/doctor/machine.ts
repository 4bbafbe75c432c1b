import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { codeOf } from "../../lib/errors.ts";
import { refuseWhileLocked } from "../../lib/lock.ts";
import type { BackendCheck, Finding } from "../../registry/training-backend.ts";
import { failed, ok, warning } from "./check.ts";

const LEAST_NODE = [20, 19] as const;
const MIB = 1 << 20;
/** Below it a run will hardly come to its end; a small one needs a few. */
const LEAST_ROOM = 64 * MIB;
const USUAL_ROOM = 1024 * MIB;

/** Whether this Node runs the program. `version`: `process.versions.node`. */
export function nodeCheck(version: string): BackendCheck {
  return {
    name: "node",
    async look() {
      const [major = 0, minor = 0] = version.split(".").map(Number);
      const [least, least_minor] = LEAST_NODE;
      if (major > least || (major === least && minor >= least_minor)) return ok(`Node ${version}`);
      return failed(`Node ${version} is too old: install ${LEAST_NODE.join(".")} or a newer one`);
    },
  };
}

/** Whether results can be written to the output folder, and nobody else does. Makes nothing there. */
export function outputChecks(output_dir: string): BackendCheck[] {
  return [
    {
      name: "output_dir",
      async look() {
        const there = await nearestFolder(output_dir);
        const closed = await closedAt(output_dir);
        if (closed !== undefined) {
          return failed(
            `${output_dir}: nothing can be written (${closed}); set finetuning.output_dir to another folder`,
          );
        }
        await refuseWhileLocked(join(output_dir, "finetune.lock"));
        return ok(there === output_dir ? `${output_dir} is free` : `${output_dir} will be made`);
      },
    },
    { name: "disk", look: () => roomIn(output_dir, USUAL_ROOM, "the run folders") },
  ];
}

/** Whether there is room for `wanted` bytes where a folder is, or will be. */
export async function roomIn(dir: string, wanted: number, what: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(await nearestFolder(dir));
  const free = bavail * bsize;
  const text = `${shown(free)} are free in ${dir}`;
  if (free < LEAST_ROOM) return failed(`${text}: make room, or choose a folder on another disk`);
  return free < wanted ? warning(`${text}, and ${what} may take ${shown(wanted)}`) : ok(text);
}

function shown(bytes: number): string {
  return bytes < 1024 * MIB ? `${Math.round(bytes / MIB)} MiB` : `${(bytes / (1024 * MIB)).toFixed(1)} GiB`;
}

/** The folder itself, or the one above it in which it would be made. */
async function nearestFolder(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    if (!["ENOENT", "ENOTDIR"].includes(codeOf(error) ?? "") || dirname(path) === path) return path;
    return nearestFolder(dirname(path));
  }
}

/** Why nothing can be written to a folder, or where it would be made; undefined where it can. */
export async function closedAt(dir: string): Promise<string | undefined> {
  return whyClosed(await nearestFolder(dir));
}

async function whyClosed(path: string): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isDirectory()) return `${path} is a file`;
    await access(path, constants.W_OK);
    return undefined;
  } catch (error) {
    return codeOf(error) ?? "it cannot be read";
  }
}
