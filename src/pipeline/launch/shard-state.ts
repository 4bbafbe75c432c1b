import { join } from "node:path";
import { exists } from "../../lib/files.ts";
import { readManifest } from "../run-folder.ts";
import { type CollectLaunch, mergedDir, shardDir } from "./collect-launch.ts";

/** How far a shard has come. `complete`: it can be merged. `done`: nothing of it failed, either. */
export interface ShardState {
  shard: number;
  run_dir: string | null;
  complete: boolean;
  done: boolean;
  examples: number;
  completed: number;
  failed: number;
}

/** What a shard's newest run says of itself. */
export async function shardState(launch: Pick<CollectLaunch, "dir">, shard: number): Promise<ShardState> {
  const run_dir = join(shardDir(launch, shard), "latest");
  const manifest = await readManifest(run_dir);
  if (manifest === undefined) {
    return { shard, run_dir: null, complete: false, done: false, examples: 0, completed: 0, failed: 0 };
  }
  const { status, asked, got, missing } = manifest;
  const complete = status === "completed";
  const unscored = Object.keys(missing).some((reason) => reason.startsWith("score: "));
  return { shard, run_dir, complete, done: complete && got.failed === 0 && !unscored, ...asked, ...got };
}

export async function shardStates(launch: Pick<CollectLaunch, "dir" | "shards">): Promise<ShardState[]> {
  return await Promise.all(Array.from({ length: launch.shards }, (_, index) => shardState(launch, index + 1)));
}

/** Whether nothing of a collection in shards is left to do. */
export async function isFinished(launch: Pick<CollectLaunch, "dir" | "shards">): Promise<boolean> {
  const states = await shardStates(launch);
  return states.every(({ done }) => done) && (await exists(join(mergedDir(launch), "dataset", "manifest.json")));
}
