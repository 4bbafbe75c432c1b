import { basename, join } from "node:path";
import { usageError } from "../../lib/errors.ts";
import { shellCommand, shellWord } from "../../lib/shell-words.ts";
import type { LaunchFile, StartCommand } from "../../training/launch/launch-plan.ts";
import { sbatchLine, sbatchPath, whyNoOutput } from "../../training/launch/sbatch.ts";
import { type CollectLaunch, logsDir } from "./collect-launch.ts";
import { collectScripts } from "./collect-scripts.ts";

/**
 * A Slurm array with a task a shard, and the merge that waits for its end; `submit.sh` hands both in. Error:
 * `path_unusable`.
 */
export function collectOnSlurm(launch: CollectLaunch): { files: LaunchFile[]; start: StartCommand } {
  const { dir, shards, cwd } = launch;
  const what = whyNoOutput(dir);
  if (what !== undefined)
    throw usageError({ code: "path_unusable", where: dir, what, fix: "collect into another folder" });
  const at = (name: string) => join(dir, name);
  const array = [
    ["array", `1-${shards}`],
    ["output", join(sbatchPath(logsDir(launch)), "shard-%a.log")],
    // Two minutes before the time limit it is asked to end, and lets what runs come to its end.
    ["signal", "B:TERM@120"],
  ] as const;
  const merge = [["output", join(sbatchPath(logsDir(launch)), "merge.log")]] as const;
  const submit = [
    "#!/bin/sh",
    "# pairwright launch: hands in the shards and the merge after them; says both job ids.",
    "set -eu",
    `array=$(sbatch --parsable ${shellWord(at("collect.sbatch"))})`,
    `echo "$array"`,
    `sbatch --parsable "--dependency=afterany:\${array%%;*}" ${shellWord(at("merge.sbatch"))}`,
  ];
  return {
    files: [
      ...collectScripts(launch),
      { name: "collect.sbatch", text: batch(launch, array, ["sh", at("shard.sh")], '"$SLURM_ARRAY_TASK_ID"') },
      { name: "merge.sbatch", text: batch(launch, merge, ["sh", at("merge.sh")]) },
      { name: "submit.sh", text: `${submit.join("\n")}\n`, executable: true },
    ],
    start: { tool: "sbatch", argv: ["sh", at("submit.sh")], cwd, env: {} },
  };
}

function batch(
  { dir }: CollectLaunch,
  options: readonly (readonly [name: string, value: string])[],
  command: readonly string[],
  argument = "",
): string {
  const all = [["job-name", `pairwright-${basename(dir)}`], ...options, ["open-mode", "append"]] as const;
  return [
    "#!/bin/sh",
    ...all.map(([name, value]) => sbatchLine(name, value)),
    "#SBATCH --requeue",
    "# Account, partition and time limit: SBATCH_ACCOUNT, SBATCH_PARTITION and SBATCH_TIMELIMIT of the environment.",
    `exec ${[shellCommand(command), argument].filter((part) => part !== "").join(" ")}`,
    "",
  ].join("\n");
}
