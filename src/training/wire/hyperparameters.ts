import { z } from "zod";

/**
 * How a job trains, as the Customizer reads it. Objects are strict: a hyperparameter that is not known is a fault, since
 * leaving it out would train something else than was asked for. Which of them a server can honour, it says itself.
 */

const share = z.number().min(0).lte(1);
const weight = z.number().nonnegative();

const Lora = z.strictObject({
  adapter_dim: z
    .int()
    .positive()
    .refine((dim) => Number.isInteger(Math.log2(dim)), "must be a power of 2")
    .nullish(),
  alpha: z.int().positive().nullish(),
  adapter_dropout: share.nullish(),
  target_modules: z.array(z.string().max(256)).min(1).nullish(),
});

const Dpo = z.strictObject({
  ref_policy_kl_penalty: weight.nullish(),
  preference_loss_weight: weight.nullish(),
  preference_average_log_probs: z.boolean().nullish(),
  sft_loss_weight: weight.nullish(),
  sft_average_log_probs: z.boolean().nullish(),
  max_grad_norm: z.number().positive().nullish(),
});

const Sft = z.strictObject({
  hidden_dropout: share.nullish(),
  attention_dropout: share.nullish(),
  ffn_dropout: share.nullish(),
});

/** `namespace/name@version` of an earlier job's output on the same platform, or of a base model. */
const ModelName = z.string().min(1).max(512);

/**
 * What pairwright's own platform takes beyond the services' contract, so that rounds of training can follow each other.
 * Not part of NeMo: a real Customizer refuses it.
 */
export const PairwrightExtension = z.strictObject({
  /** The model that training starts from, in place of the config's. */
  start_from: ModelName.optional(),
  /** The model that preferences are compared with; else the one that training starts from. */
  reference_model: ModelName.optional(),
  /** An earlier job whose optimiser goes on; that one had `save_optimizer`. */
  optimizer_from: ModelName.optional(),
  /** Keeps the optimiser's state with the output, for `optimizer_from`. */
  save_optimizer: z.boolean().optional(),
  batch_unit: z.enum(["pair", "prompt"]).optional(),
  gradient_accumulation_steps: z.int().positive().optional(),
  loss_type: z.enum(["sigmoid", "ipo", "hinge", "robust"]).optional(),
  label_smoothing: z.number().min(0).lt(0.5).optional(),
  /** In place of the one that `optimizer` names. */
  schedule: z.enum(["constant", "linear", "cosine"]).optional(),
  /** What the schedule ends at, as a share of `learning_rate`; in place of `min_learning_rate`. */
  min_learning_rate_ratio: share.optional(),
  adam_epsilon: z.number().positive().optional(),
  max_grad_norm: z.number().positive().nullable().optional(),
  max_length: z.int().min(2).optional(),
  max_tokens_per_micro_batch: z.int().positive().optional(),
  recompute: z.boolean().optional(),
  shuffle: z.boolean().optional(),
  /** Validations without a better loss until the job ends with the best weights; null: the last weights, always. */
  early_stopping_patience: z.int().positive().nullable().optional(),
  checkpoint_every: z.int().positive().optional(),
});
export type PairwrightExtension = z.output<typeof PairwrightExtension>;

export const Hyperparameters = z.strictObject({
  finetuning_type: z.enum(["lora", "lora_merged", "all_weights"]),
  training_type: z.enum(["sft", "dpo", "distillation", "grpo"]).nullish(),
  epochs: z.int().positive().nullish(),
  batch_size: z.int().positive().nullish(),
  learning_rate: z.number().positive().nullish(),
  /** 0 or none: a tenth of `learning_rate`. */
  min_learning_rate: weight.nullish(),
  /** -1 or none: as many as the epochs have. */
  max_steps: z.union([z.literal(-1), z.int().positive()], "must be -1 or a whole number above 0").nullish(),
  warmup_steps: z.int().nonnegative().nullish(),
  weight_decay: weight.nullish(),
  adam_beta1: z.number().min(0).lt(1).nullish(),
  adam_beta2: z.number().min(0).lt(1).nullish(),
  optimizer: z
    .enum(["adam_with_cosine_annealing", "adam_with_flat_lr", "adamw_with_cosine_annealing", "adamw_with_flat_lr"])
    .nullish(),
  seed: z.int().nonnegative().nullish(),
  log_every_n_steps: z.int().positive().nullish(),
  /** Up to 1 a share of an epoch, above it steps. */
  val_check_interval: z.number().positive().nullish(),
  sequence_packing_enabled: z.boolean().nullish(),
  lora: Lora.nullish(),
  sft: Sft.nullish(),
  dpo: Dpo.nullish(),
  distillation: z.looseObject({}).nullish(),
  grpo: z.looseObject({}).nullish(),
  /** null is none, so that an override can take a file's settings out. */
  pairwright: PairwrightExtension.nullable()
    .transform((own) => own ?? undefined)
    .optional(),
});
export type Hyperparameters = z.output<typeof Hyperparameters>;
