import { z } from "zod";
import { Hyperparameters as WireHyperparameters } from "./wire/hyperparameters.ts";

const DpoHyperparameters = z.strictObject({
  ...WireHyperparameters.shape.dpo.unwrap().unwrap().shape,
  ref_policy_kl_penalty: z.number().nonnegative().default(0.1).describe("beta of DPO: higher stays nearer the model"),
  preference_loss_weight: z.number().nonnegative().default(1),
  preference_average_log_probs: z.boolean().default(false).describe("average over the reply instead of the sum"),
  sft_loss_weight: z.number().nonnegative().default(0).describe("weight of a plain loss on the chosen replies"),
});

/** The seeds' hyperparameters with their defaults, and whatever else the service takes: that has the service's defaults. */
export const TrainingHyperparameters = z.strictObject({
  ...WireHyperparameters.shape,
  training_type: z.enum(["sft", "dpo"]).default("dpo"),
  finetuning_type: z.enum(["lora", "lora_merged", "all_weights"]).default("all_weights"),
  epochs: z.int().positive().default(3),
  batch_size: z.int().positive().default(4),
  learning_rate: z.number().positive().default(5e-5),
  dpo: DpoHyperparameters.prefault({}),
});
export type TrainingHyperparameters = z.output<typeof TrainingHyperparameters>;

const DeploymentConfig = z.strictObject({
  image_name: z.string().min(1).default("nvcr.io/nim/meta/llama-3.1-8b-instruct"),
  image_tag: z.string().min(1).default("latest"),
  gpu: z.int().nonnegative().default(1),
  deployment_name: z.string().min(1).nullable().default(null).describe("null: a name is made"),
  description: z.string().default("Fine-tuned model deployment"),
});

/** The options of `nemo_customizer_trainer_adapter`: the seeds' fields and defaults. */
export const NemoCustomizerTrainerAdapterOptions = z.strictObject({
  entity_host: z.string().min(1).describe("base URL of the entity store"),
  datastore_host: z.string().min(1).describe("base URL of the data store"),
  api_key: z
    .string()
    .default("")
    .meta({ secret: true, description: "key for the services of entity_host; empty: NGC_API_KEY" }),
  hf_token: z.string().default("").meta({ secret: true, description: "token for the data store; empty: HF_TOKEN" }),
  namespace: z.string().min(1).describe("where data sets, models and deployments are filed"),
  dataset_name: z.string().min(1).default("nat-dpo"),
  dataset_output_dir: z.string().min(1).nullable().default(null).describe("a folder that gets a copy of the files"),
  create_namespace_if_missing: z.boolean().default(true),
  customization_config: z.string().min(1).describe("what to train, such as meta/llama-3.1-8b-instruct@v1.0.0+A100"),
  hyperparameters: TrainingHyperparameters.prefault({}),
  use_full_message_history: z.boolean().default(false).describe("prompt as messages, not as its last message's text"),
  deploy_on_completion: z.boolean().default(false),
  deployment_config: DeploymentConfig.prefault({}),
  poll_interval_seconds: z.number().positive().default(30),
  deployment_timeout_seconds: z.number().positive().default(1800),
  max_consecutive_status_failures: z.int().positive().default(3).describe("status checks that may fail in a row"),
});
export type NemoCustomizerTrainerAdapterOptions = z.output<typeof NemoCustomizerTrainerAdapterOptions>;
