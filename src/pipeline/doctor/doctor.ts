import type { Config } from "../../config/config.ts";
import { codeOf } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { BackendCheck, Finding } from "../../registry/training-backend.ts";
import { assemble } from "../assemble.ts";
import { assembleTraining, type TrainingParts } from "../assemble-training.ts";
import type { Builtins } from "../builtin-registry.ts";
import type { Measuring } from "../finetune/measuring.ts";
import type { Parts } from "../parts.ts";
import { failingOf, type Made, makeChecks, ok, skipped } from "./check.ts";
import { lengthChecks } from "./lengths.ts";
import { nodeCheck, outputChecks } from "./machine.ts";
import { modelChecks } from "./models.ts";
import { baseModelOf, type EmbeddedPlatform, platformChecks } from "./platform-models.ts";
import { finetuningCheck, gateCheck } from "./settings.ts";
import { datasetCheck, historyCheck } from "./training-data.ts";

export interface DoctorOptions {
  builtins: Builtins;
  log: Logger;
  env: Record<string, string | undefined>;
  /** Absent where the configuration asks for none. */
  platform: EmbeddedPlatform | undefined;
  /** Why the sections of the training cannot be used; undefined when they can. */
  why_no_training: string | undefined;
  /** How a trained model is measured, or why it is not. */
  measuring: () => Measuring | string;
  signal: AbortSignal;
  /** For each check. */
  limit_ms?: number | undefined;
}

/**
 * Looks at everything that a finetune of this configuration will need, without spending or changing anything: every check
 * is made, whatever the others find, all at once.
 */
export async function examine(config: Config, options: DoctorOptions): Promise<Made[]> {
  const { builtins, env, platform, signal, limit_ms } = options;
  const log = options.log;
  const training = trainingOf(config, options);
  const finetuning_dir = training.built ? config.finetuning.output_dir : undefined;
  const workflow = await attempt(() => assemble(config, { builtins, log, cache: false, output_dir: finetuning_dir }));
  const absent = platform !== undefined && platform.origin === undefined ? config.nim_url : undefined;
  const checks = [
    nodeCheck(process.versions.node),
    ...outputChecks(finetuning_dir ?? config.eval.general.output_dir),
    ...modelChecks({ config, env, absent }),
    ...(platform ? platformChecks(platform, baseOf(config, training.built)) : []),
    found("workflow", workflow.built ? ok("it can be built, and all that it calls") : workflow.finding),
    ...(workflow.built ? [datasetCheck(workflow.built, training.built ? config.finetuning.held_out : 0)] : []),
    ...(training.built ? trainingChecks(config, training.built, workflow.built, options) : []),
    ...(training.built || !training.finding ? [] : [found("training", training.finding)]),
  ];
  try {
    return await makeChecks(checks, { signal, ...(limit_ms !== undefined && { limit_ms }) });
  } finally {
    await workflow.built?.close();
    training.built?.backend.close();
  }
}

/** What was built, or why it could not be. */
type Attempt<T> = { built: T; finding?: undefined } | { built?: undefined; finding: Finding };

async function attempt<T>(build: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { built: await build() };
  } catch (error) {
    return { finding: failingOf(error) };
  }
}

function found(name: string, finding: Finding): BackendCheck {
  return { name, look: async () => finding };
}

function trainingOf(config: Config, { builtins, log, why_no_training }: DoctorOptions): Attempt<TrainingParts> {
  if (why_no_training !== undefined) return { finding: skipped(why_no_training) };
  if (Object.keys(config.trainer_adapters).length === 0) {
    return {
      finding: skipped("there is no trainer adapter: this configuration collects and measures, and trains nothing"),
    };
  }
  try {
    return { built: assembleTraining(config, log, builtins.secrets) };
  } catch (error) {
    const finding = failingOf(error);
    // An adapter for `launch` is no fault where no finetune is asked for.
    const is_elsewhere = codeOf(error) === "not_trainable" && !config.finetuning.enabled;
    return { finding: is_elsewhere ? skipped(finding.detail) : finding };
  }
}

function trainingChecks(
  config: Config,
  training: TrainingParts,
  parts: Parts | undefined,
  { platform, measuring }: DoctorOptions,
): BackendCheck[] {
  const { backend } = training;
  const base = baseOf(config, training);
  const is_absent = platform !== undefined && platform.origin === undefined;
  const why = "the embedded platform does not run; finetune starts it";
  const own = backend.checks ?? [
    found("training", { status: "unknown", detail: `nobody here can look at ${backend.place}` }),
  ];
  const model = async () => (platform && base !== undefined ? baseModelOf(platform, base) : undefined);
  return [
    finetuningCheck(config),
    ...own.map((check) => (is_absent ? found(check.name, skipped(why)) : check)),
    ...(parts
      ? [gateCheck(parts, { config, training, measuring }), historyCheck(parts), ...lengthChecks(parts, model)]
      : []),
  ];
}

/** What the adapter trains, where it says so as NeMo's does. */
function baseOf(config: Config, training: TrainingParts | undefined): string | undefined {
  if (training === undefined) return undefined;
  const name = config.trainer_adapters[training.trainer_adapter]?.options.customization_config;
  return typeof name === "string" ? name : undefined;
}
