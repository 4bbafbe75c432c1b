import { shellCommand, shellWord } from "../../lib/shell-words.ts";
import type { LaunchFile } from "../../training/launch/launch-plan.ts";
import { type CollectLaunch, mergedDir } from "./collect-launch.ts";

/** `shard.sh I` collects a shard, or goes on with it; `merge.sh` joins all of them. Any scheduler can run them. */
export function collectScripts(launch: CollectLaunch): LaunchFile[] {
  return [
    { name: "shard.sh", text: shardScript(launch), executable: true },
    { name: "merge.sh", text: mergeScript(launch), executable: true },
  ];
}

function shardScript(launch: CollectLaunch): string {
  const { shards, program, config_file, collect_flags } = launch;
  const collect = shellCommand([...program, "collect", config_file, ...collect_flags]);
  return script(launch, `collects shard $1 of ${shards}, or goes on with it where it was stopped`, [
    `shard=$1`,
    `out=${shellWord(launch.dir)}/shard-$shard`,
    `mkdir -p "$out"`,
    `set -- ${collect} --shard "$shard/${shards}" -o "eval.general.output.dir=$out"`,
    "# Where a task was killed on another machine its lock stays: it is nobody's if this one can be had.",
    `exec 9>"$out/task.lock"`,
    `if flock -n 9 2>/dev/null; then rm -f "$out"/*/run.lock; fi`,
    `if [ -e "$out/latest/manifest.json" ]; then set -- "$@" --resume latest; fi`,
    `exec "$@"`,
  ]);
}

function mergeScript(launch: CollectLaunch): string {
  const { shards, program, config_file, merge_flags } = launch;
  const merge = shellCommand([...program, "pairs", "merge"]);
  const output = shellCommand(["--output", mergedDir(launch), "--config-file", config_file, ...merge_flags]);
  return script(launch, `joins the ${shards} shards once all of them are complete`, [
    `launch=${shellWord(launch.dir)}`,
    "missing=",
    `set -- ${merge}`,
    "shard=1",
    `while [ "$shard" -le ${shards} ]; do`,
    `  set -- "$@" "$launch/shard-$shard/latest"`,
    `  grep -qs '^  "status": "completed"' "$launch/shard-$shard/latest/manifest.json" || missing="$missing $shard"`,
    "  shard=$((shard + 1))",
    "done",
    `if [ -n "$missing" ]; then`,
    `  echo "not complete yet:$missing (of ${shards} shards); collect these again, then merge" >&2`,
    "  exit 3",
    "fi",
    `exec "$@" ${output}`,
  ]);
}

function script({ cwd, variables }: CollectLaunch, what: string, lines: readonly string[]): string {
  const reads = variables.length === 0 ? [] : [`# Reads of the environment: ${variables.join(", ")}`];
  return `${["#!/bin/sh", `# pairwright launch: ${what}.`, ...reads, "set -eu", `cd ${shellWord(cwd)}`, ...lines].join("\n")}\n`;
}
