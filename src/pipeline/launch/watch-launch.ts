import { basename, join } from "node:path";
import { usageError } from "../../lib/errors.ts";
import { exists } from "../../lib/files.ts";
import { judgeTraining } from "../../training/launch/judge-training.ts";
import type { TrainingOutcome } from "../../training/launch/launch-plan.ts";
import { DATASET_MANIFEST } from "../pairs/build-pairs.ts";
import { mergedDir } from "./collect-launch.ts";
import { type LaunchRecord, launchDirs, readLaunch } from "./launch-folder.ts";
import { type ShardState, shardStates } from "./shard-state.ts";

/** How a launch stands by what it has written, whichever machine did; nobody's scheduler is asked. */
export interface LaunchStanding {
  dir: string;
  job: LaunchRecord["job"];
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
  { on, name, signal }: { on: LaunchRecord["on"]; name: string | undefined; signal: AbortSignal },
): Promise<LaunchStanding> {
  for (const dir of await launchDirs(output_dir)) {
    if (name !== undefined && basename(dir) !== name) continue;
    const record = await readLaunch(dir);
    if (record?.on === on) return await standingOf(dir, record, signal);
  }
  throw usageError({
    code: "no_such_launch",
    where: name === undefined ? output_dir : join(output_dir, name),
    what: `there is no launch on ${on} here`,
    fix: "give the configuration that it was launched with",
  });
}

async function standingOf(dir: string, record: LaunchRecord, signal: AbortSignal): Promise<LaunchStanding> {
  const { job, watch, asked } = record;
  if (watch !== null) return { dir, job, outcome: await judgeTraining(watch, { exit_code: null }, signal) };
  const merged = mergedDir({ dir });
  return {
    ...{ dir, job, shards: await shardStates({ dir, shards: Number(asked.shards) }) },
    merged: (await exists(join(merged, DATASET_MANIFEST))) ? merged : null,
  };
}
