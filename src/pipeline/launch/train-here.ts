import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { EXIT, PairwrightError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { judgeTraining } from "../../training/launch/judge-training.ts";
import type { StartCommand, TrainingOutcome, TrainingProgress, Watch } from "../../training/launch/launch-plan.ts";
import { readProgress } from "../../training/launch/read-progress.ts";
import { hasTool } from "./find-tool.ts";
import { runProcess } from "./run-process.ts";
import { typedCommand } from "./submit.ts";

export interface TrainHereOptions {
  env: Readonly<Record<string, string | undefined>>;
  drain: AbortSignal;
  stop: AbortSignal;
  log: Logger;
  onProgress: (progress: TrainingProgress) => void;
}

/** Between two looks at the trainer's files. */
const LOOK_EVERY_MS = 2000;

/**
 * Runs a trainer on this machine to its end and watches its files. How it ended is judged by them: both trainers can do
 * nothing and exit with 0. A drain asks it to end, as Ctrl-C does.
 */
export async function trainHere(
  watch: Watch,
  start: StartCommand,
  options: TrainHereOptions,
): Promise<{ outcome?: TrainingOutcome; fault?: PairwrightError }> {
  const { drain, stop } = options;
  const env = { ...options.env, ...start.env };
  if (!(await hasTool(start.tool, env))) return { fault: noTrainer(start) };
  await mkdir(dirname(watch.log), { recursive: true });
  const ended = new AbortController();
  const looking = look(watch, ended.signal, options.onProgress);
  const running = { argv: start.argv, cwd: start.cwd, env, log: watch.log, drain, stop, onLine: options.log.debug };
  const { code, signal } = await runProcess(running).finally(() => ended.abort());
  await looking;
  const outcome = await judgeTraining(watch, { exit_code: code ?? 1 });
  if (outcome.status === "completed") return { outcome };
  if (drain.aborted) return { outcome, fault: interrupted(watch, start, outcome) };
  const how = signal === null ? outcome.problems : [`it was ended by ${signal}`, ...outcome.problems];
  return { outcome, fault: failed(watch, how) };
}

async function look(watch: Watch, ended: AbortSignal, onProgress: TrainHereOptions["onProgress"]): Promise<void> {
  while (!ended.aborted) {
    await setTimeout(LOOK_EVERY_MS, undefined, { signal: ended }).catch(() => undefined);
    if (ended.aborted) return;
    // What cannot be read now may be half written; what is wrong at the end, the judgement tells.
    await readProgress(watch).then(onProgress, () => undefined);
  }
}

function noTrainer(start: StartCommand): PairwrightError {
  return new PairwrightError({
    code: "no_trainer",
    where: start.tool,
    what: "this program is not on PATH: nothing was started; the files are written",
    fix: `where it is, type: ${typedCommand(start)}`,
    exit_code: EXIT.usage,
  });
}

function failed({ log }: Watch, problems: readonly string[]): PairwrightError {
  return new PairwrightError({
    code: "training_failed",
    where: log,
    what: problems.join("; "),
    fix: "mend what the log says, and launch again",
    exit_code: EXIT.training_failed,
  });
}

function interrupted({ log }: Watch, start: StartCommand, { checkpoint }: TrainingOutcome): PairwrightError {
  const kept = checkpoint === null ? "there is no checkpoint yet" : `the checkpoint of step ${checkpoint.step} is kept`;
  return new PairwrightError({
    code: "interrupted",
    where: log,
    what: `the training was stopped; ${kept}`,
    fix: `to go on, type: ${typedCommand(start)}`,
    exit_code: EXIT.interrupted,
  });
}
