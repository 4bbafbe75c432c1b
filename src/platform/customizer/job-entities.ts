import type { JobCreate, TrainingOption } from "../../training/wire/customizer.ts";
import type { ModelEntity } from "../../training/wire/entity-store.ts";
import type { Hyperparameters } from "../../training/wire/hyperparameters.ts";
import { given } from "../entities/given.ts";
import type { PlatformContext } from "../platform-context.ts";
import type { UsedConfig } from "./find-config.ts";
import { firstStatus } from "./job-progress.ts";
import { outputName } from "./output-model.ts";
import type { StoredJob, StoredTarget } from "./stored.ts";

/** What a client said of its job, and where it stands at first. */
export function jobBody(
  body: JobCreate,
  { id, namespace, context: { times } }: { id: string; namespace: string; context: PlatformContext },
) {
  const { description, project, custom_fields, ownership, dataset_parameters, integrations, name } = given(body);
  const stamps = { created_at: times.naive(), updated_at: times.naive() };
  const said = given({ description, project, custom_fields, ownership, dataset_parameters, integrations });
  return {
    id,
    ...stamps,
    name: name ?? id,
    namespace,
    ...said,
    config: body.config,
    hyperparameters: echoed(body.hyperparameters),
    status: "created" as const,
    status_details: firstStatus(times.naive()),
  };
}

/** Hyperparameters as they came, with the two defaults that the service fills in. */
function echoed(hyperparameters: Hyperparameters): Record<string, unknown> {
  const plain: Record<string, unknown> = given(hyperparameters);
  const is_lora = hyperparameters.finetuning_type !== "all_weights";
  return {
    ...plain,
    ...(is_lora && { lora: { alpha: 16, ...given(hyperparameters.lora ?? {}) } }),
    sequence_packing_enabled: hyperparameters.sequence_packing_enabled ?? false,
  };
}

export function snapshot(
  config: UsedConfig,
  target: StoredTarget,
  option: TrainingOption,
): StoredJob["config_snapshot"] {
  const { max_seq_length, prompt_template } = config;
  return {
    base_model: target.base_model,
    precision: "fp32",
    max_seq_length,
    prompt_template,
    training_option: given(option),
  };
}

/** The model that a job will come to, before it has. */
export function modelEntity(job: StoredJob, target: StoredTarget, { times, newId }: PlatformContext): ModelEntity {
  const { namespace, name, revision } = job._plan.output;
  const { finetuning_type } = job.hyperparameters;
  const stamps = { created_at: times.naive(), updated_at: times.naive() };
  return {
    schema_version: "1.0",
    id: newId("model"),
    ...stamps,
    name: `${name}@${revision}`,
    namespace,
    custom_fields: {},
    ...given({ description: job.description, project: job.project }),
    base_model: target.base_model,
    spec: {
      num_parameters: target.num_parameters,
      context_size: Math.min(job.config_snapshot.max_seq_length, target._context_size ?? Number.POSITIVE_INFINITY),
      num_virtual_tokens: 0,
      is_chat: target._is_chat ?? true,
    },
    artifact: {
      gpu_arch: "cpu",
      precision: "fp32",
      tensor_parallelism: 1,
      backend_engine: "hugging_face",
      status: "created",
      files_url: `hf://${outputName(job._plan.output)}`,
    },
    ...(finetuning_type === "lora" && { peft: { finetuning_type: "lora" } }),
  };
}
