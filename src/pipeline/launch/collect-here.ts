import { EXIT, PairwrightError } from "../../lib/errors.ts";
import type { PairsSummary } from "../pairs/build-pairs.ts";
import { mergeRuns } from "../pairs/merge-runs.ts";
import type { PairParts } from "../parts.ts";
import { type CollectLaunch, mergedDir } from "./collect-launch.ts";
import { type RunShardsOptions, runShards, type ShardResult, whyIncomplete } from "./run-shards.ts";

export interface CollectHereOptions extends RunShardsOptions {
  parts: PairParts;
}

export interface CollectedHere {
  shards: ShardResult[];
  /** Absent while a shard is not complete; `fault` says which. */
  merged?: { output: string; pairs: PairsSummary };
  fault?: PairwrightError;
}

/** All shards at once in processes of this machine, then the merge, when all of them are complete. */
export async function collectHere(launch: CollectLaunch, options: CollectHereOptions): Promise<CollectedHere> {
  const { drain, stop, parts } = options;
  const shards = await runShards(launch, options);
  const missing = shards.map(whyIncomplete).filter((why) => why !== undefined);
  if (missing.length > 0) return { shards, fault: incomplete(launch, shards, missing, drain.aborted) };
  const output = mergedDir(launch);
  const runs = shards.map(({ run_dir }) => run_dir).filter((run_dir) => run_dir !== null);
  const { pairs } = await mergeRuns({ ...parts, runs, output, signal: stop });
  return { shards, merged: { output, pairs } };
}

function incomplete(
  { dir }: CollectLaunch,
  shards: readonly ShardResult[],
  missing: readonly string[],
  interrupted: boolean,
): PairwrightError {
  const codes = new Set(shards.filter(({ complete }) => !complete).map(({ exit_code }) => exit_code));
  const [only] = codes;
  const told = codes.size === 1 && only !== null && only !== undefined && only !== EXIT.ok ? only : EXIT.some_failed;
  return new PairwrightError({
    code: interrupted ? "interrupted" : "shards_incomplete",
    where: dir,
    what: `${missing.length} of ${shards.length} shards are not complete: ${missing.join(", ")}; what is there is safe`,
    fix: interrupted ? "go on with" : "mend what the logs say, then go on with",
    exit_code: interrupted ? EXIT.interrupted : told,
  });
}
