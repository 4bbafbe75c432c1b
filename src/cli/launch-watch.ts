import { basename, resolve } from "node:path";
import { EXIT } from "../lib/errors.ts";
import { shellCommand } from "../lib/shell-words.ts";
import { counted } from "../pipeline/describe-result.ts";
import { type LaunchStanding, watchLaunch } from "../pipeline/launch/watch-launch.ts";
import type { CommandInput } from "./command.ts";
import { describeTraining } from "./describe-training.ts";
import { configFileOf, loadConfigFor } from "./load.ts";
import { stoppable } from "./stoppable.ts";

/** What to type to see how a submitted launch stands. */
export function watchCommand({ args, flags }: Pick<CommandInput, "args" | "flags">, on: string, dir: string): string {
  return shellCommand(["pairwright", "launch", configFileOf(args, flags), "--on", on, "--watch", basename(dir)]);
}

/** `launch --watch`: how a launch stands, in one look. */
export async function runLaunchWatch(input: CommandInput, on: "nemo-rl" | "trl" | "collect"): Promise<number> {
  const { args, terminal } = input;
  const { watch } = input.flags;
  const { config } = await loadConfigFor({ args, flags: input.flags, terminal, uses: [] });
  const output_dir = resolve(on === "collect" ? config.eval.general.output_dir : config.finetuning.output_dir);
  const name = typeof watch === "string" ? watch : undefined;
  const standing = await stoppable((signal) => watchLaunch(output_dir, { on, name, signal }));
  terminal.print(describe(standing));
  for (const warning of standing.outcome?.warnings ?? []) terminal.warn(warning);
  terminal.result(standing);
  return EXIT.ok;
}

function describe({ dir, job, outcome, shards, merged }: LaunchStanding): string {
  const lines = [`launch folder: ${dir}`];
  if (job) lines.push(`submitted to ${job.submitter}: ${[job.id, ...job.followed_by].join(", ")}`);
  for (const { shard, complete, examples, completed, failed } of shards ?? []) {
    const faults = failed > 0 ? `, ${failed} failed` : "";
    lines.push(`shard ${shard}: ${complete ? "complete" : "not complete"}, ${completed} of ${examples}${faults}`);
  }
  if (shards) lines.push(merged ? `merged: ${merged}` : `not merged (${counted(shards.length, "shard")})`);
  if (outcome) {
    lines.push(`${outcome.status === "completed" ? "completed: " : ""}${describeTraining(outcome)}`);
    if (outcome.status === "failed") lines.push(`not at its end, or failed: ${outcome.problems.join("; ")}`);
    if (outcome.checkpoint) lines.push(`checkpoint: ${outcome.checkpoint.dir}`);
  }
  return lines.join("\n");
}
