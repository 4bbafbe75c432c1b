import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../lib/errors.ts";
import type { Watch } from "./launch-plan.ts";

/** How much of a log's end is looked at. */
const TAIL_BYTES = 256 * 1024;
const LONGEST = 300;

/** Ray puts the worker's name before each of its lines; terminals' colours stand in logs, too. */
const RAY_PREFIX = /^\([^()]*\bpid=\d+[^()]*\)\s*/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour begins with
const COLOURS = /\x1b\[[0-9;]*m/g;

/** The last line of a Python traceback, and what schedulers and the system say of a job that they ended. */
const ERRORS = [
  /^(?:[\w.]+\.)?\w*(?:Error|Exception|Interrupt|Exit)(?:: .*)?$/,
  /^slurmstepd: error: .*/,
  /^srun: error: .*/,
  /^.*\b(?:oom-kill|oom_kill|Out of memory|CANCELLED AT|DUE TO TIME LIMIT)\b.*$/,
  /^.*: (?:command not found|No such file or directory)$/,
];

/**
 * The last error that a training's output tells, in one line of at most 300 characters; undefined when it tells none. The
 * output is the newest of the files that a local start and Slurm's scripts write.
 */
export async function lastError({ log, output }: Pick<Watch, "log" | "output">): Promise<string | undefined> {
  const path = await newestLog(log, output);
  if (path === undefined) return undefined;
  const lines = (await tailOf(path)).split(/[\r\n]+/);
  for (const line of lines.reverse()) {
    const text = line.replaceAll(COLOURS, "").replace(RAY_PREFIX, "").trim();
    if (ERRORS.some((pattern) => pattern.test(text))) {
      return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
    }
  }
  return undefined;
}

/** `train.log`, `slurm-JOB.log`, and what NeMo RL's `ray.sub` writes in `JOB-logs/`. */
async function newestLog(log: string, output: string): Promise<string | undefined> {
  const names = await readdir(output).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  const paths = names.flatMap((name) => {
    if (/^slurm-.*\.log$/.test(name)) return [join(output, name)];
    return name.endsWith("-logs") ? [join(output, name, "ray-driver.log")] : [];
  });
  let newest: { path: string; at: number } | undefined;
  for (const path of [log, ...paths]) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || found.size === 0) continue;
    if (newest === undefined || found.mtimeMs > newest.at) newest = { path, at: found.mtimeMs };
  }
  return newest?.path;
}

async function tailOf(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}
