import { basename, resolve } from "node:path";
import { EXIT, PairwrightError } from "../lib/errors.ts";
import { shellCommand } from "../lib/shell-words.ts";
import { counted } from "../pipeline/describe-result.ts";
import { type LaunchStanding, watchLaunch } from "../pipeline/launch/watch-launch.ts";
import type { CommandInput } from "./command.ts";
import { describeTraining } from "./describe-training.ts";
import { configFileOf, environment, loadConfigFor } from "./load.ts";
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
  const env = await environment();
  const standing = await stoppable((signal) => watchLaunch(output_dir, { on, name, env, signal }));
  terminal.print(describe(standing));
  for (const warning of standing.outcome?.warnings ?? []) terminal.warn(warning);
  const fault = faultOf(standing);
  if (fault) terminal.fault(fault);
  terminal.result({
    ...standing,
    ...(fault && { error: { code: fault.code, where: fault.where, what: fault.what, fix: fault.fix } }),
  });
  return fault?.exit_code ?? EXIT.ok;
}

/** A job that runs no more and has not done what it was for. */
function faultOf(standing: LaunchStanding): PairwrightError | undefined {
  const { dir, job_state, outcome } = standing;
  const over = job_state?.state === "failed" || job_state?.state === "ended";
  if (!over || isDone(standing)) return undefined;
  return new PairwrightError({
    code: "job_died",
    where: dir,
    what: `the job has ended without its result (${job_state.said})`,
    fix: outcome ? "mend what its log says, and launch again" : "mend what its logs say, and go on with --resume",
    exit_code: outcome ? EXIT.training_failed : EXIT.some_failed,
  });
}

/** On Kubernetes the merge is for the user to start, once all shards are complete. */
function isDone({ job, outcome, shards, merged }: LaunchStanding): boolean {
  if (outcome) return outcome.status === "completed";
  const collected = job?.submitter === "kubernetes" && shards?.every(({ complete }) => complete) === true;
  return collected || merged !== null;
}

function describe({ dir, job, job_state, outcome, shards, merged }: LaunchStanding): string {
  const lines = [`launch folder: ${dir}`];
  if (job) lines.push(`submitted to ${job.submitter}: ${[job.id, ...job.followed_by].join(", ")}`);
  if (job_state) lines.push(`job: ${job_state.state} (${job_state.said})`);
  for (const { shard, complete, examples, completed, failed } of shards ?? []) {
    const faults = failed > 0 ? `, ${failed} failed` : "";
    lines.push(`shard ${shard}: ${complete ? "complete" : "not complete"}, ${completed} of ${examples}${faults}`);
  }
  if (shards) lines.push(merged ? `merged: ${merged}` : `not merged (${counted(shards.length, "shard")})`);
  if (outcome) {
    lines.push(`${outcome.status === "completed" ? "completed: " : ""}${describeTraining(outcome)}`);
    if (outcome.status === "failed") lines.push(`${headOf(job_state)}: ${outcome.problems.join("; ")}`);
    if (outcome.checkpoint) lines.push(`checkpoint: ${outcome.checkpoint.dir}`);
  }
  return lines.join("\n");
}

/** By files alone a training that runs looks as one that stopped. */
function headOf(job_state: LaunchStanding["job_state"]): string {
  if (job_state?.state === "running" || job_state?.state === "waiting") return "not at its end";
  return job_state === undefined || job_state.state === "unknown" ? "not at its end, or failed" : "failed";
}
