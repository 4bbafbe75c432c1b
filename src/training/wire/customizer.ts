import { z } from "zod";
import { describedFields, EntityName, NamespaceName, Ownership, type Stamped } from "./common.ts";
import { Hyperparameters } from "./hyperparameters.ts";

/** The Customizer: targets, configs and jobs (NeMo Microservices v1). */

export const FINETUNING_TYPES = ["lora", "lora_merged", "all_weights"] as const;
export const TRAINING_TYPES = ["sft", "dpo", "distillation", "grpo"] as const;

const placed = { ...describedFields, name: EntityName.nullish(), namespace: NamespaceName.nullish() };
const Precision = z.enum(["int8", "bf16", "fp16", "fp32", "fp8-mixed", "bf16-mixed"]);

const targetFields = {
  base_model: z.string().min(1).max(512).nullish(),
  enabled: z.boolean().nullish(),
  hf_endpoint: z.string().max(4096).nullish(),
  model_path: z.string().max(4096).nullish(),
  model_uri: z.string().max(4096).nullish(),
  tokenizer: z.looseObject({}).nullish(),
};

export const TargetCreate = z.object({
  ...placed,
  ...targetFields,
  num_parameters: z.int().nonnegative(),
  precision: Precision,
});
export type TargetCreate = z.output<typeof TargetCreate>;

export const TargetUpdate = z.object({
  ...describedFields,
  ...targetFields,
  num_parameters: z.int().nonnegative().nullish(),
  precision: Precision.nullish(),
});

export type TargetStatus = "created" | "pending" | "downloading" | "failed" | "ready" | "cancelled" | "unknown";

/** A model that jobs may start from. */
export interface CustomizationTarget extends Stamped {
  id: string;
  name: string;
  namespace: string;
  base_model: string;
  enabled: boolean;
  model_path: string;
  model_uri?: string;
  model_type: "nemo" | "hf" | "hf-lora";
  num_parameters: number;
  precision: string;
  status: TargetStatus;
  [field: string]: unknown;
}

export const TrainingOption = z.object({
  training_type: z.enum(TRAINING_TYPES),
  finetuning_type: z.string().max(64),
  num_gpus: z.int().nonnegative(),
  micro_batch_size: z.int().positive(),
  num_nodes: z.int().nonnegative().nullish(),
  tensor_parallel_size: z.int().positive().nullish(),
  pipeline_parallel_size: z.int().positive().nullish(),
  data_parallel_size: z.int().positive().nullish(),
  expert_model_parallel_size: z.int().positive().nullish(),
  use_sequence_parallel: z.boolean().nullish(),
});
export type TrainingOption = z.output<typeof TrainingOption>;

const configFields = {
  training_precision: Precision.nullish(),
  prompt_template: z.string().max(65_536).nullish(),
  chat_prompt_template: z.string().max(65_536).nullish(),
  dataset_schemas: z.array(z.looseObject({})).nullish(),
  pod_spec: z.looseObject({}).nullish(),
};

export const ConfigCreate = z.object({
  ...placed,
  ...configFields,
  max_seq_length: z.int().min(2),
  training_options: z.array(TrainingOption).min(1),
  target: z.union([z.string().max(1024), TargetCreate]).nullish(),
});
export type ConfigCreate = z.output<typeof ConfigCreate>;

export const ConfigUpdate = z.object({
  ...describedFields,
  ...configFields,
  max_seq_length: z.int().min(2).nullish(),
  training_options: z.array(TrainingOption).min(1).nullish(),
  add_training_options: z.array(TrainingOption).nullish(),
  remove_training_options: z
    .array(z.object({ training_type: z.enum(TRAINING_TYPES), finetuning_type: z.string().max(64) }))
    .nullish(),
});

/** How a target may be trained. */
export interface CustomizationConfig extends Stamped {
  name: string;
  namespace: string;
  max_seq_length: number;
  training_options: TrainingOption[];
  prompt_template: string;
  training_precision?: string;
  /** `namespace/name` of the target, or all of it. */
  target: string | CustomizationTarget;
  [field: string]: unknown;
}

const DatasetReference = z.object({
  name: EntityName.nullish(),
  namespace: NamespaceName.nullish(),
  files_url: z.string().max(4096).nullish(),
});

export const JobCreate = z.object({
  ...describedFields,
  config: z.union([z.string().min(1).max(1024), ConfigCreate]),
  dataset: z.union([z.string().min(1).max(4096), DatasetReference]),
  hyperparameters: Hyperparameters,
  name: EntityName.nullish(),
  namespace: NamespaceName.nullish(),
  output_model: z.string().max(512).nullish(),
  custom_fields: z.record(z.string(), z.string()).nullish(),
  ownership: Ownership.nullish(),
  dataset_parameters: z.looseObject({}).nullish(),
  integrations: z.array(z.looseObject({ type: z.string() })).nullish(),
});
export type JobCreate = z.output<typeof JobCreate>;

/** `created`, `pending`, `running`, perhaps `cancelling`, then one of `completed`, `failed`, `cancelled`. */
export type JobStatus = "created" | "pending" | "running" | "cancelling" | "cancelled" | "failed" | "completed";

export interface StatusLog {
  updated_at: string;
  message: string;
  detail?: string | null;
}

/** A point of a curve. Steps count from 0. */
export interface MetricPoint {
  step: number;
  value: number;
  timestamp: string;
}

export interface StatusDetails extends Stamped {
  status: JobStatus;
  /** Seconds of running, over all starts. */
  elapsed_time: number;
  steps_completed: number;
  steps_per_epoch: number | null;
  epochs_completed: number;
  /** 0 to 100. */
  percentage_done: number;
  best_epoch: number | null;
  /** Of the model that came out; null until it did. */
  train_loss: number | null;
  val_loss: number | null;
  metrics: { keys: string[]; metrics: Record<string, MetricPoint[]> };
  status_logs: StatusLog[];
}

export interface CustomizationJob extends Stamped {
  id: string;
  name: string;
  namespace: string;
  config: string | object;
  config_snapshot: {
    base_model: string;
    precision: string;
    max_seq_length: number;
    prompt_template: string;
    training_option: Record<string, unknown>;
  };
  dataset: string;
  hyperparameters: Record<string, unknown>;
  output_model: string;
  status: JobStatus;
  status_details: StatusDetails;
  warnings?: { message: string; explanation: string }[];
  [field: string]: unknown;
}

/** What a job's processes said, by the name of each. */
export interface JobLogs {
  entries: Record<
    string,
    {
      status?: object;
      logs?: object;
      events?: {
        type: string;
        reason: string;
        message: string;
        count: number;
        first_seen: string;
        last_seen: string;
      }[];
    }
  >;
  error?: { exception_type: string; explanation: string; message: string; timestamp: string };
}
