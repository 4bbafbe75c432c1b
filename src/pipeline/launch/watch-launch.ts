import { basename, join } from "node:path";
import { usageError } from "../../lib/errors.ts";
import { exists } from "../../lib/files.ts";
import { judgeTraining } from "../../training/launch/judge-training.ts";
import type { TrainingOutcome } from "../../training/launch/launch-plan.ts";
import { DATASET_MANIFEST } from "../pairs/build-pairs.ts";
import { type AskOptions, askScheduler } from "./ask-scheduler.ts";
import { mergedDir } from "./collect-launch.ts";
import type { JobStanding } from "./job-states.ts";
import { type LaunchRecord, launchDirs, readLaunch } from "./launch-folder.ts";
import { localStanding } from "./launch-lock.ts";
import { type ShardState, shardStates } from "./shard-state.ts";

/** How a launch stands: by what it has written, whichever machine did, and by what its scheduler says of its job. */
export interface LaunchStanding {
  dir: string;
  job: LaunchRecord["job"];
  /** Absent where nothing was started, or what ran on this machine has come to an end. */
  job_state?: JobStanding;
  /** Of a training: `failed` is also one that has not come to its end yet. */
  outcome?: TrainingOutcome;
  /** Of a collection. */
  shards?: ShardState[];
  /** The folder of the merged run; null until it is there. */
  merged?: string | null;
}

/** Looks at the newest launch of this kind in an output folder, or at the named one. Error: `no_such_launch`. */
export async function watchLaunch(
  output_dir: string,
  { on, name, ...asking }: { on: LaunchRecord["on"]; name: string | undefined } & Asking,
): Promise<LaunchStanding> {
  for (const dir of await launchDirs(output_dir)) {
    if (name !== undefined && basename(dir) !== name) continue;
    const record = await readLaunch(dir);
    if (record?.on === on) return await standingOf(dir, record, asking);
  }
  throw usageError({
    code: "no_such_launch",
    where: name === undefined ? output_dir : join(output_dir, name),
    what: `there is no launch on ${on} here`,
    fix: "give the configuration that it was launched with",
  });
}

/** The manifest that Kubernetes was given, by what was launched. */
const MANIFESTS = { collect: "collect.yaml", trl: "job.yaml", "nemo-rl": "rayjob.yaml" } as const;

type Asking = Pick<AskOptions, "env" | "signal" | "limit_ms">;

async function standingOf(dir: string, record: LaunchRecord, asking: Asking): Promise<LaunchStanding> {
  const { on, job, watch, asked } = record;
  // Asked first: what it then writes, the files tell.
  const job_state =
    job === null ? await localStanding(dir) : await askScheduler(job, { ...asking, dir, manifest: MANIFESTS[on] });
  const state = { dir, job, ...(job_state && { job_state }) };
  if (watch !== null) return { ...state, outcome: await judgeTraining(watch, { exit_code: null }, asking.signal) };
  const merged = mergedDir({ dir });
  return {
    ...{ ...state, shards: await shardStates({ dir, shards: Number(asked.shards) }) },
    merged: (await exists(join(merged, DATASET_MANIFEST))) ? merged : null,
  };
}
