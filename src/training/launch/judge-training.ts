import { join } from "node:path";
import { exists } from "../../lib/files.ts";
import { modelFault } from "./checkpoints.ts";
import { lastError } from "./last-error.ts";
import type { TrainingOutcome, Watch } from "./launch-plan.ts";
import { readTraces, type Traces } from "./read-progress.ts";

/** How far the first loss may lie from what it should be: bfloat16 keeps about three digits. */
const FIRST_LOSS_TOLERANCE = 0.01;

/**
 * How a training ended, by what it left: an exit code of 0 says little, since NeMo RL ends with it after no step at all.
 * `exit_code` is null where nobody told it. A training that is still running is judged as one that stopped here.
 */
export async function judgeTraining(
  watch: Watch,
  { exit_code }: { exit_code: number | null },
  signal?: AbortSignal,
): Promise<TrainingOutcome> {
  const traces = await readTraces(watch, signal);
  const problems = [...problemsOf(watch, traces, exit_code), ...(await modelProblems(watch))];
  if (problems.length > 0) {
    const said = await lastError(watch);
    if (said !== undefined) problems.push(`the log's last error: ${said}`);
  }
  return {
    ...traces.progress,
    status: problems.length === 0 ? "completed" : "failed",
    problems,
    warnings: warningsOf(watch, traces),
  };
}

function problemsOf(watch: Watch, traces: Traces, exit_code: number | null): string[] {
  const { step, total_steps, checkpoint } = traces.progress;
  const { broken_step } = traces;
  return [
    ...(exit_code === null || exit_code === 0 ? [] : [`it ended with exit code ${exit_code}`]),
    ...(step === 0 ? ["no step was made"] : []),
    ...(step > 0 && step < total_steps ? [`${step} of ${total_steps} steps were made`] : []),
    ...(broken_step === null ? [] : [`the loss of step ${broken_step} is no number`]),
    ...(checkpoint === null ? [`${watch.checkpoints} has no whole checkpoint`] : []),
    ...(checkpoint !== null && checkpoint.step < step
      ? [`the last whole checkpoint is of step ${checkpoint.step}`]
      : []),
  ];
}

/** TRL's script writes the model by itself at the very end; NeMo RL's model is the last checkpoint. */
async function modelProblems({ target, output }: Watch): Promise<string[]> {
  if (target === "nemo-rl") return [];
  const dir = join(output, "model");
  if (!(await exists(dir))) return [`${dir} was not written`];
  const fault = await modelFault(dir);
  return fault === undefined ? [] : [`${dir}: ${fault}`];
}

function warningsOf(watch: Watch, traces: Traces): string[] {
  const { first_loss, fewest_valid, broken_checkpoints } = traces;
  const { total_steps } = traces.progress;
  const warnings = broken_checkpoints.map((fault) => `not whole: ${fault}`);
  const expected = watch.first_loss;
  if (expected !== null && first_loss !== null && Math.abs(first_loss - expected) > FIRST_LOSS_TOLERANCE) {
    warnings.push(
      `the first loss is ${first_loss.toFixed(4)} and should be ${expected.toFixed(4)}: the model did not begin as its own reference`,
    );
  }
  if (fewest_valid !== null && fewest_valid < watch.batch_size) {
    warnings.push(`a step counted ${fewest_valid} of ${watch.batch_size} pairs: the others are over the length limit`);
  }
  if (total_steps !== watch.total_steps) {
    const why = total_steps < watch.total_steps ? "it left rows out" : "its processes do not share a batch";
    warnings.push(`${watch.total_steps} steps were planned, and the trainer counted ${total_steps}: ${why}`);
  }
  return warnings;
}
