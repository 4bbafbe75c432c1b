import { usageError } from "../lib/errors.ts";
import type { JobSteps } from "../registry/training-backend.ts";
import type { CustomizerClient, KnownJob } from "./clients/customizer.ts";
import { RefusedError } from "./clients/service.ts";
import type { NemoCustomizerTrainerAdapterOptions } from "./nemo-customizer-options.ts";
import { configNotFound } from "./nemo-faults.ts";
import type { JobCreate } from "./wire/customizer.ts";

export interface SubmitParts {
  options: NemoCustomizerTrainerAdapterOptions;
  customizer: CustomizerClient;
  steps: JobSteps;
  /** Just before the job is created. */
  keepDataset(): Promise<void>;
}

/** Creates the job, or finds the one that an earlier process created: its output model is named after the tag. */
export function submitJob(parts: SubmitParts): Promise<{ id: string }> {
  const { options, customizer, steps } = parts;
  const output_model = outputModel(options, steps.tag);
  return steps.step("job", { config: options.customization_config, output_model }, async (again) => {
    const found = again ? await findJob(parts, output_model) : undefined;
    if (found !== undefined) {
      steps.log.info(`training job ${found.id} was submitted before`);
      return { id: found.id };
    }
    await parts.keepDataset();
    const job = await customizer.createJob(jobBody(options, steps.tag), steps.signal).catch(async (error: unknown) => {
      throw await explained(error, parts);
    });
    steps.log.info(`submitted training job: ${job.id}`);
    return { id: job.id };
  });
}

/** Each job has an output model of its own, so that a second job of the same tag would be refused as well as found. */
function outputModel({ namespace, dataset_name }: NemoCustomizerTrainerAdapterOptions, tag: string): string {
  return `${namespace}/${dataset_name}-${tag}`;
}

function jobBody(options: NemoCustomizerTrainerAdapterOptions, tag: string) {
  const { namespace, dataset_name, customization_config, hyperparameters } = options;
  return {
    config: customization_config,
    dataset: { name: dataset_name, namespace },
    // What is left is what the schema of the options let through, which has no null where the wire has none.
    hyperparameters: withoutNull(hyperparameters) as JobCreate["hyperparameters"],
    namespace,
    output_model: outputModel(options, tag),
    description: `pairwright ${tag}`,
    custom_fields: { pairwright: tag },
  } satisfies JobCreate;
}

/** A null of the configuration stands for the service's own default. */
function withoutNull(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== null && part !== undefined)
      .map(([name, part]) => [name, isPlain(part) ? withoutNull(part) : part]),
  );
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function findJob(
  { options, customizer, steps }: SubmitParts,
  output_model: string,
): Promise<KnownJob | undefined> {
  for await (const job of customizer.jobs(options.namespace, steps.signal)) {
    const { custom_fields, output_model: output } = job;
    if (custom_fields?.pairwright === steps.tag) return job;
    if (output === output_model || output?.startsWith(`${output_model}@`)) return job;
  }
  return undefined;
}

/** What a refusal of the job means in the words of the configuration. */
async function explained(error: unknown, { options, customizer, steps }: SubmitParts): Promise<unknown> {
  if (!(error instanceof RefusedError) || error.code !== "platform_refused") return error;
  const { customization_config } = options;
  const config = await customizer.hasConfig(customization_config, steps.signal).catch(() => undefined);
  if (config?.found === false) return configNotFound(customization_config, config.known, error);
  if (error.status === 409) {
    return usageError({
      code: "job_conflict",
      ...(error.where !== undefined && { where: error.where }),
      what: error.what,
      fix: "wait until the model that is trained from is ready there; then go on with --resume",
      cause: error,
    });
  }
  return usageError({
    code: "job_refused",
    ...(error.where !== undefined && { where: error.where }),
    what: error.what,
    fix: "change the hyperparameters or the customization_config that it names",
    cause: error,
  });
}
