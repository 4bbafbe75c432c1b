import { join } from "node:path";
import { PairwrightError, usageError } from "../../lib/errors.ts";
import type { LaunchFile, StartCommand, Submitter } from "../../training/launch/launch-plan.ts";
import { refuseControlCharacters } from "../../training/launch/usable-paths.ts";
import { type CollectedHere, type CollectHereOptions, collectHere } from "./collect-here.ts";
import { collectOnKubernetes, type PodShape } from "./collect-kubernetes.ts";
import type { CollectLaunch } from "./collect-launch.ts";
import { collectScripts } from "./collect-scripts.ts";
import { collectOnSlurm } from "./collect-slurm.ts";
import { type LaunchRecord, rewriteLaunch, writeLaunch } from "./launch-folder.ts";
import { lockLaunch } from "./launch-lock.ts";
import { dirOfLaunch, type ResumeOptions } from "./resume-launch.ts";
import { type LaunchJob, submit } from "./submit.ts";

export interface CollectLaunchOptions extends CollectHereOptions, Omit<ResumeOptions, "shards"> {
  launch: Omit<CollectLaunch, "dir">;
  /** Absent: the files are written, and nothing is started. */
  submitter: Submitter | undefined;
  /** What pods need; for Kubernetes alone. */
  pod: PodShape | undefined;
  dry_run: boolean;
  version: string;
}

export interface CollectLaunchResult {
  dir: string;
  /** Absolute paths. */
  files: string[];
  start: StartCommand;
  /** What is to be typed after the job's end. */
  next?: string;
  job: LaunchJob | null;
  /** Why nothing, or not all of it, was submitted. */
  fault?: PairwrightError;
  /** Of a local run. */
  shards?: CollectedHere["shards"];
  merged?: NonNullable<CollectedHere["merged"]>;
}

/** `collect` in shards: written, and started where a submitter was named and this is no dry run. */
export async function launchCollect(options: CollectLaunchOptions): Promise<CollectLaunchResult> {
  const { submitter, dry_run } = options;
  const { dir, before } = await dirOfLaunch({ ...options, shards: options.launch.shards });
  const launch = { ...options.launch, dir };
  const plan = planOf(launch, options, before !== undefined);
  const record: LaunchRecord = {
    on: "collect",
    pairwright_version: options.version,
    created_at: new Date(options.now()).toISOString(),
    asked: options.asked,
    watch: null,
    job: null,
    ...before,
  };
  if (before) await rewriteLaunch(dir, plan.files, record);
  else await writeLaunch(dir, async () => ({ record, files: plan.files }));
  const { start, next } = plan;
  const files = plan.files.map(({ name }) => join(dir, name));
  const written = { dir, files, start, ...(next !== undefined && { next }), job: null };
  if (submitter === undefined || dry_run) return written;
  if (submitter === "local") {
    await using _lock = await lockLaunch(dir);
    return { ...written, ...(await collectHere(launch, options)) };
  }
  try {
    const job = await submit(submitter, start, { env: options.env, signal: options.drain });
    await rewriteLaunch(dir, [], { ...record, job });
    return { ...written, job };
  } catch (error) {
    if (!PairwrightError.is(error)) throw error;
    return { ...written, fault: error };
  }
}

interface Plan {
  files: LaunchFile[];
  start: StartCommand;
  next?: string;
}

function planOf(launch: CollectLaunch, { submitter, pod }: CollectLaunchOptions, again: boolean): Plan {
  refuseControlCharacters([launch.dir, launch.cwd, launch.config_file]);
  if (submitter === "slurm") return collectOnSlurm(launch);
  if (submitter === "kubernetes" && pod !== undefined) return collectOnKubernetes(launch, { ...pod, again });
  if (submitter === "ray") {
    throw usageError({
      code: "not_supported",
      where: "--submit",
      what: "a collection in shards is no Ray job",
      fix: "give slurm, kubernetes or local; or leave it out, and run shard.sh and merge.sh where you like",
    });
  }
  const at = (name: string) => join(launch.dir, name);
  const shards = Array.from({ length: launch.shards }, (_, index) => index + 1).join(" ");
  const line = `for shard in ${shards}; do sh "$0" "$shard" & done; wait; sh "$1"`;
  const argv = ["sh", "-c", line, at("shard.sh"), at("merge.sh")];
  return { files: collectScripts(launch), start: { tool: "sh", argv, cwd: launch.cwd, env: {} } };
}
