import { join } from "node:path";
import { hasTool } from "./find-tool.ts";
import { type JobStanding, kubernetesState, rayState, slurmState } from "./job-states.ts";
import { howItEnded, lastWords, runTool, type Said, type ToolOptions } from "./run-tool.ts";
import type { LaunchJob } from "./submit.ts";

export interface AskOptions extends Omit<ToolOptions, "cwd" | "limit_ms"> {
  /** The launch's folder, and the manifest in it that Kubernetes was given. */
  dir: string;
  manifest: string;
  /** Of each question. */
  limit_ms?: number | undefined;
}

const LIMIT_MS = 20_000;

type Ask = (...argv: string[]) => Promise<Said | string>;

/** Asks a job's scheduler how it stands, where its program is on PATH. */
export async function askScheduler(job: LaunchJob, options: AskOptions): Promise<JobStanding> {
  const ask: Ask = (...argv) => said(argv, options);
  if (job.submitter === "slurm") return await askSlurm([job.id, ...job.followed_by], ask);
  if (job.submitter === "ray") {
    const told = await ask("ray", "job", "status", job.id);
    return typeof told === "string" ? unknown(told) : (rayState(told.stdout + told.stderr) ?? unclear(told, "ray"));
  }
  // With the manifest it knows the namespace, too.
  const told = await ask("kubectl", "get", "-f", join(options.dir, options.manifest), "-o", "json");
  if (typeof told === "string") {
    return /\bNotFound\b/.test(told) ? { state: "ended", said: `${job.id} is not there any more` } : unknown(told);
  }
  return kubernetesState(told.stdout) ?? unclear(told, "kubectl");
}

/** The queue knows what waits and runs; what has ended stands in the accounts, where a cluster keeps them. */
async function askSlurm(ids: readonly string[], ask: Ask): Promise<JobStanding> {
  const jobs = ids.join(",");
  const queue = await ask("squeue", "--noheader", `--jobs=${jobs}`, "--format=%i %T");
  const isGone = typeof queue === "string" && /invalid job id/i.test(queue);
  if (typeof queue !== "string") {
    const live = slurmState(queue.stdout);
    if (live !== undefined && (live.state === "running" || live.state === "waiting")) return live;
  }
  const accounts = ["--noheader", "--parsable2", "--allocations", `--jobs=${jobs}`, "--format=JobID,State"];
  const kept = await ask("sacct", ...accounts);
  const ended = typeof kept === "string" ? undefined : slurmState(kept.stdout.replaceAll("|", " "));
  if (ended !== undefined) return ended;
  if (typeof queue === "string" && !isGone)
    return unknown([queue, ...(typeof kept === "string" ? [kept] : [])].join("; "));
  const why = typeof kept === "string" ? kept : "sacct knows nothing of it";
  return { state: "ended", said: `squeue knows ${jobs} no more; ${why}` };
}

/** What a program said, or in words why it said nothing of use. */
async function said(argv: readonly string[], { dir, env, signal, limit_ms = LIMIT_MS }: AskOptions) {
  const [tool = ""] = argv;
  if (!(await hasTool(tool, env))) return `${tool} is not on PATH`;
  const told = await runTool(argv, { cwd: dir, env, signal, limit_ms });
  if (told.error === null) return told;
  const last = lastWords(told);
  return `${argv.join(" ")}: ${howItEnded(told.error)}${last === "" ? "" : `: ${last}`}`;
}

function unknown(said: string): JobStanding {
  return { state: "unknown", said };
}

function unclear(told: Said, tool: string): JobStanding {
  return unknown(`${tool} gave no state: ${lastWords(told)}`);
}
