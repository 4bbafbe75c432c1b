import { join } from "node:path";
import { EXIT } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { type CollectLaunch, collectWords, logsDir } from "./collect-launch.ts";
import { runProcess } from "./run-process.ts";
import { type ShardState, shardState } from "./shard-state.ts";

/** Exit codes of a `collect` that came to its end, whatever became of its examples. */
const ENDED_WELL: readonly number[] = [EXIT.ok, EXIT.some_failed, EXIT.unreachable];

/** What became of a shard. `exit_code` is null where it had been done before, or was killed. */
export interface ShardResult extends ShardState {
  exit_code: number | null;
  killed_by: string | null;
  log: string;
}

export interface RunShardsOptions {
  env: Readonly<Record<string, string | undefined>>;
  drain: AbortSignal;
  stop: AbortSignal;
  log: Logger;
  /** How far a shard has come, in its own words. */
  onProgress: (line: string) => void;
}

/** Collects every shard that is not done in a process of its own, all at once. One that fails leaves the others running. */
export async function runShards(launch: CollectLaunch, options: RunShardsOptions): Promise<ShardResult[]> {
  const shards = Array.from({ length: launch.shards }, (_, index) => index + 1);
  return await Promise.all(shards.map((shard) => runShard(launch, shard, options)));
}

async function runShard(launch: CollectLaunch, shard: number, options: RunShardsOptions): Promise<ShardResult> {
  const { env, drain, stop, onProgress } = options;
  const log = join(logsDir(launch), `shard-${shard}.log`);
  const before = await shardState(launch, shard);
  if (before.done) return { ...before, exit_code: null, killed_by: null, log };
  const name = `shard ${shard}/${launch.shards}`;
  const words = collectWords(launch, shard);
  if (before.run_dir !== null) words.push("--resume", "latest");
  const end = await runProcess({
    ...{ argv: [...launch.program, ...words], cwd: launch.cwd, env, log, drain, stop },
    onLine(line, stream) {
      if (stream === "stdout") return;
      if (line.startsWith("warning: ")) options.log.warn(`${name}: ${line.slice("warning: ".length)}`);
      else if (/^\d+\/\d+ examples/.test(line)) onProgress(`${name}: ${line}`);
      else options.log.info(`${name}: ${line}`);
    },
  });
  const after = await shardState(launch, shard);
  // What an earlier start left complete is not what this one was to make of it.
  const complete = after.complete && end.code !== null && ENDED_WELL.includes(end.code);
  return { ...after, complete, done: after.done && complete, exit_code: end.code, killed_by: end.signal, log };
}

/** Why a shard is not complete, in words; undefined when it is. */
export function whyIncomplete({ shard, complete, exit_code, killed_by, log }: ShardResult): string | undefined {
  if (complete) return undefined;
  // Before it listens, a signal ends it at once.
  const interrupted = exit_code === EXIT.interrupted || killed_by === "SIGINT";
  return `${shard} (${interrupted ? "interrupted" : (killed_by ?? `exit ${exit_code}`)}, see ${log})`;
}
