import { join } from "node:path";

/** Everything that a collection in shards is made of. All paths are absolute. */
export interface CollectLaunch {
  /** The folder of this launch; every shard has a folder of its own in it. */
  dir: string;
  shards: number;
  /** The working folder: names in the configuration may start from it. */
  cwd: string;
  config_file: string;
  /** The program on the machines of this storage, such as `["node", ".../main.js"]`. */
  program: readonly string[];
  /** Flags of `collect` and of `pairs merge`, words as they are given. */
  collect_flags: readonly string[];
  merge_flags: readonly string[];
  /** Variables of the environment that the configuration reads: their names. */
  variables: readonly string[];
}

/** The folder that the runs of one shard lie in; shards count from 1. */
export function shardDir({ dir }: Pick<CollectLaunch, "dir">, shard: number | string): string {
  return join(dir, `shard-${shard}`);
}

/** The folder of the run that all shards are joined to. */
export function mergedDir({ dir }: Pick<CollectLaunch, "dir">): string {
  return join(dir, "merged");
}

export function logsDir({ dir }: Pick<CollectLaunch, "dir">): string {
  return join(dir, "logs");
}

/** `collect` of one shard, without the program's name. Its folder wins over both spellings of the configuration's. */
export function collectWords(launch: CollectLaunch, shard: number): string[] {
  const { config_file, shards, collect_flags } = launch;
  const folder = `eval.general.output.dir=${shardDir(launch, shard)}`;
  return ["collect", config_file, "--shard", `${shard}/${shards}`, "-o", folder, ...collect_flags];
}
