import { availableParallelism } from "node:os";
import type { z } from "zod";
import { STEADY_THREADS } from "../../engine/graph/thread-pieces.ts";
import type { TrainingJob, TrainingResult } from "../../engine/train/training-job.ts";
import { TrainingOptions } from "../../engine/train/training-options.ts";
import { trainInProcess } from "../../engine/train/training-process.ts";
import { EXIT, type PairwrightError, usageError } from "../../lib/errors.ts";
import type { CommandRun } from "../command.ts";
import { oneOf, wholeNumber } from "../flags.ts";
import { onInterrupt } from "../interrupt.ts";
import { TRAINING_FLAGS } from "../training-flags.ts";
import { trainingProgress } from "../training-progress.ts";

export const run: CommandRun = async ({ flags, terminal }) => {
  const job = jobOf(flags);
  using interrupt = onInterrupt(
    () => terminal.info("stopping after this step; a checkpoint is kept. Again: stop at once"),
    () => terminal.info("stopping at once"),
  );
  const progress = trainingProgress(terminal, () => performance.now());
  const result = await trainInProcess(job, {
    signal: interrupt.drain,
    kill: interrupt.stop,
    on_event: progress.show,
  }).finally(progress.end);
  terminal.print(describeResult(result, job));
  terminal.result(result);
  return EXIT.ok;
};

function jobOf(flags: Record<string, unknown>): TrainingJob {
  if (flags.resume === true && flags.overwrite === true) {
    throw usageError({
      code: "usage",
      where: "--resume",
      what: "one goes on with an earlier job and the other begins anew: --resume and --overwrite",
      fix: "give one of them",
    });
  }
  return {
    model: needed(flags, "model", "a folder with a model"),
    dataset: needed(flags, "dataset", "a data-set folder or file"),
    output: needed(flags, "output", "the folder to write the trained model to"),
    overwrite: flags.overwrite === true,
    reference_model: typeof flags.referenceModel === "string" ? flags.referenceModel : null,
    optimizer_from: typeof flags.optimizerFrom === "string" ? flags.optimizerFrom : null,
    save_optimizer: flags.saveOptimizer === true,
    dtype: ({ f32: "F32", bf16: "BF16", f16: "F16" } as const)[oneOf(flags, "dtype", ["f32", "bf16", "f16"]) ?? "f32"],
    resume: flags.resume === true,
    threads: wholeNumber(flags, "threads", 1) ?? Math.min(availableParallelism(), STEADY_THREADS),
    options: trainingOptionsOf(flags),
  };
}

function needed(flags: Record<string, unknown>, name: string, what: string): string {
  const value = flags[name];
  if (typeof value === "string") return value;
  throw usageError({ code: "usage", where: `--${name}`, what: "it is missing", fix: `give ${what}` });
}

/** Hyperparameters as typed, by the schema that the engine checks them with; a fault names its flag. */
export function trainingOptionsOf(flags: Record<string, unknown>): TrainingOptions {
  const given: Record<string, unknown> = {};
  const dpo: Record<string, unknown> = {};
  const lora: Record<string, unknown> = {};
  for (const [name] of TRAINING_FLAGS) {
    const text = flags[name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())];
    if (typeof text !== "string") continue;
    if (name.startsWith("lora_")) lora[name.slice("lora_".length)] = typedValue(name, text);
    else if (name in TrainingOptions.shape) given[name] = typedValue(name, text);
    else dpo[name] = typedValue(name, text);
  }
  const [unused] = Object.keys(lora);
  if (unused !== undefined && given.finetuning_type !== "lora") {
    throw usageError({
      code: "usage",
      where: `--lora_${unused}`,
      what: "all weights are trained unless --finetuning_type is lora",
      fix: "add --finetuning_type lora, or leave this out",
    });
  }
  const parsed = TrainingOptions.safeParse({ ...given, dpo, lora });
  if (parsed.success) return parsed.data;
  throw badOption(parsed.error);
}

function typedValue(name: string, text: string): unknown {
  if (name === "lora_target_modules") return text.split(",").map((module) => module.trim());
  if (["true", "false", "null"].includes(text)) return JSON.parse(text);
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function badOption({ issues }: z.ZodError): PairwrightError {
  const [issue] = issues;
  const [section, ...rest] = (issue?.path ?? []).map(String);
  const name = section === "lora" ? `lora_${rest[0]}` : (rest[0] ?? section);
  return usageError({
    code: "usage",
    where: `--${name}`,
    what: issue?.message ?? "it cannot be used",
    fix: "see --help for what it takes",
  });
}

function describeResult(result: TrainingResult, { output, options }: TrainingJob): string {
  const { steps, loss, tokens_per_s, seconds, skipped, metrics } = result;
  const left_out = Object.entries(skipped).map(([reason, n]) => `${reason} ${n}`);
  const accuracy = metrics["rewards/accuracies"];
  return [
    `${options.training_type.toUpperCase()} of ${result.rows} rows: ${steps} steps in ${seconds.toFixed(1)} s, ${Math.round(tokens_per_s).toLocaleString("en-US")} tokens/s`,
    `loss ${loss.first.toFixed(4)} -> ${loss.last.toFixed(4)}${accuracy === undefined ? "" : `, accuracy ${accuracy.toFixed(2)}`}`,
    ...(left_out.length > 0 ? [`left out: ${left_out.join(", ")}`] : []),
    `model: ${output}`,
  ].join("\n");
}
