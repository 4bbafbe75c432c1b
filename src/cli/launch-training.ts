import { resolve } from "node:path";
import { EXIT, PairwrightError } from "../lib/errors.ts";
import { counted } from "../pipeline/describe-result.ts";
import { namedPairs, newestPairs } from "../pipeline/launch/find-pairs.ts";
import { findTrainer } from "../pipeline/launch/find-trainer.ts";
import { type LaunchTrainingResult, launchTraining } from "../pipeline/launch/launch-training.ts";
import { typedCommand } from "../pipeline/launch/submit.ts";
import { type CommandInput, packageVersion } from "./command.ts";
import { describeTraining, type TrainingStanding } from "./describe-training.ts";
import { wholeNumber } from "./flags.ts";
import { formatsOf } from "./formats.ts";
import { onInterrupt } from "./interrupt.ts";
import { watchCommand } from "./launch-watch.ts";
import { environment, loadConfigFor } from "./load.ts";
import type { Terminal } from "./terminal.ts";

type Target = "nemo-rl" | "trl";
type Submit = "slurm" | "ray" | "kubernetes" | "local" | undefined;

const LIVE_MS = 100;
const PLAIN_MS = 5_000;

/** `launch --on nemo-rl|trl`: from the typed line to files, a job or a training here, and an exit code. */
export async function runLaunchTraining(input: CommandInput, target: Target, submitter: Submit): Promise<number> {
  const { args, flags, terminal } = input;
  const uses = ["trainer_adapters", "finetuning"] as const;
  const { config, builtins } = await loadConfigFor({ args, flags, terminal, uses });
  const trainer = findTrainer(config, target);
  const output_dir = resolve(config.finetuning.output_dir);
  const { dataset, validationDataset } = flags;
  const validation = typeof validationDataset === "string" ? validationDataset : undefined;
  const source =
    typeof dataset === "string"
      ? await namedPairs(dataset, validation)
      : await newestPairs([resolve(config.eval.general.output_dir), output_dir]);
  terminal.info(`pairs: ${source.training}${source.validation === null ? "" : `, ${source.validation}`}`);
  using interrupt = onInterrupt(
    () => terminal.warn("stopping the training; Ctrl-C again to stop it at once"),
    () => terminal.warn("stopping at once; Ctrl-C again to end the process"),
  );
  const result = await launchTraining({
    ...{ trainer, source, output_dir, submitter, dry_run: flags.dryRun === true },
    machine: { nodes: wholeNumber(flags, "nodes", 1) ?? 1, gpus: wholeNumber(flags, "gpus") ?? 1 },
    ...{ formats: formatsOf(builtins.registry, terminal), secrets: [...config.secrets, ...builtins.secrets] },
    ...{ drain: interrupt.drain, stop: interrupt.stop, env: await environment(), log: terminal, now: Date.now },
    version: packageVersion(),
    onProgress: progressLine(terminal),
  })
    .catch((error: unknown) => {
      throw interrupt.drain.aborted && !PairwrightError.is(error) ? interrupted(error) : error;
    })
    .finally(() => terminal.status(undefined));
  const code = report(result, submitter, terminal);
  if (result.job) terminal.info(`how it stands: ${watchCommand(input, target, result.dir)}`);
  return code;
}

function report(result: LaunchTrainingResult, submitter: Submit, terminal: Terminal): number {
  const { dir, files, start, commands, refused, findings, pairs, job, watch, outcome, fault } = result;
  const { training, validation } = pairs;
  terminal.print(describe(result, submitter));
  for (const warning of outcome?.warnings ?? []) terminal.warn(warning);
  if (fault) terminal.fault(fault);
  terminal.result({
    ...{ dir, files, command: typedCommand(start), commands, refused, job, watch, checks: findings },
    ...{ training: training.written, validation: validation.written },
    ...(outcome && { outcome }),
    ...(fault && { error: { code: fault.code, where: fault.where, what: fault.what, fix: fault.fix } }),
  });
  return fault?.exit_code ?? EXIT.ok;
}

function describe(result: LaunchTrainingResult, submitter: Submit): string {
  const { dir, commands, refused, pairs, job, outcome } = result;
  const { training, validation } = pairs;
  const lines = [
    `${counted(training.written, "row")} for training, ${validation.written} for validation`,
    `launch folder: ${dir}`,
  ];
  if (job) lines.push(`submitted to ${job.submitter}: ${job.id}`);
  else if (outcome) {
    const { step, total_steps, loss, checkpoint } = outcome;
    lines.push(`${outcome.status}: ${step} of ${total_steps} steps${loss === null ? "" : `, loss ${loss.toFixed(4)}`}`);
    if (checkpoint) lines.push(`checkpoint: ${checkpoint.dir}`);
  } else {
    const asked = (name: string) => submitter === undefined || name === submitter;
    const named = (name: string) => (name === "local" ? "here" : name);
    for (const [name, command] of Object.entries(commands)) if (asked(name)) lines.push(`${named(name)}: ${command}`);
    for (const [name, why] of Object.entries(refused)) if (asked(name)) lines.push(`not ${named(name)}: ${why}`);
  }
  return lines.join("\n");
}

/** Says how far a training has come, when there is something new: a step may take minutes. */
function progressLine(terminal: Terminal) {
  let shown = 0;
  let said = "";
  return (progress: TrainingStanding) => {
    const now = Date.now();
    const line = describeTraining(progress);
    if (progress.step === 0 || line === said || now - shown < (terminal.live ? LIVE_MS : PLAIN_MS)) return;
    [shown, said] = [now, line];
    if (terminal.live) terminal.status(line);
    else terminal.info(line);
  };
}

function interrupted(cause: unknown): PairwrightError {
  return new PairwrightError({
    code: "interrupted",
    what: "stopped before the training began",
    fix: "give the same command again",
    exit_code: EXIT.interrupted,
    cause,
  });
}
