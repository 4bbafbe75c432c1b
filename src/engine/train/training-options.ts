import { z } from "zod";
import { LINEAR_MODULES } from "../model/parameters.ts";
import { SCHEDULES } from "./learning-rate.ts";
import { LOSS_TYPES, type PreferenceSettings } from "./preference-loss.ts";

const positive = z.number().positive();
const share = z.number().min(0).max(1);

const DpoOptions = z
  .strictObject({
    ref_policy_kl_penalty: positive.default(0.1).describe("beta of DPO: higher stays nearer the reference"),
    preference_loss_weight: z.number().nonnegative().default(1),
    preference_average_log_probs: z.boolean().default(false).describe("average over a reply's tokens, not their sum"),
    sft_loss_weight: z.number().nonnegative().default(0).describe("weight of a plain loss on the chosen replies"),
    sft_average_log_probs: z
      .boolean()
      .nullable()
      .default(null)
      .describe("average in that loss; null: as preference_average_log_probs"),
    loss_type: z.enum(LOSS_TYPES).default("sigmoid"),
    label_smoothing: z.number().min(0).lt(0.5).default(0).describe("share of pairs taken to be wrong; robust only"),
  })
  .refine(({ loss_type, label_smoothing }) => loss_type === "robust" || label_smoothing === 0, {
    path: ["label_smoothing"],
    error: "only the loss type robust smooths labels",
  })
  .refine(({ preference_loss_weight, sft_loss_weight }) => preference_loss_weight > 0 || sft_loss_weight > 0, {
    path: ["preference_loss_weight"],
    error: "with this and sft_loss_weight both 0 there is nothing to learn",
  });

const LoraOptions = z.strictObject({
  rank: z.int().positive().default(16),
  alpha: positive.default(32),
  target_modules: z
    .array(z.enum(LINEAR_MODULES))
    .min(1)
    .default([...LINEAR_MODULES]),
});

/** How to train: the seeds' hyperparameters under their names, and those that this engine has in addition. */
export const TrainingOptions = z.strictObject({
  training_type: z.enum(["sft", "dpo"]).default("dpo"),
  finetuning_type: z.enum(["lora", "all_weights"]).default("all_weights"),
  epochs: z.int().positive().default(3),
  batch_size: z.int().positive().default(4).describe("pairs, or prompts, of one optimiser step"),
  batch_unit: z
    .enum(["pair", "prompt"])
    .default("pair")
    .describe("what batch_size counts; prompt: all pairs of a prompt, averaged first"),
  gradient_accumulation_steps: z.int().positive().default(1).describe("multiplies batch_size"),
  learning_rate: positive.default(5e-5),
  schedule: z.enum(SCHEDULES).default("linear"),
  warmup_steps: z.int().nonnegative().default(0),
  min_learning_rate_ratio: share.default(0).describe("what the schedule ends at, as a share of learning_rate"),
  weight_decay: z.number().nonnegative().default(0).describe("of matrices; norms and biases are never decayed"),
  adam_beta1: z.number().min(0).lt(1).default(0.9),
  adam_beta2: z.number().min(0).lt(1).default(0.999),
  adam_epsilon: positive.default(1e-8),
  max_grad_norm: positive.nullable().default(1).describe("gradients are scaled down to this norm; null: never"),
  max_length: z.int().min(2).nullable().default(null).describe("tokens of a prompt with its reply; null: the model's"),
  max_tokens_per_micro_batch: z
    .int()
    .positive()
    .default(1024)
    .describe("tokens computed at a time; a batch is cut into as many pieces as it needs"),
  recompute: z
    .boolean()
    .nullable()
    .default(null)
    .describe("make activations again in the backward pass: less memory, more time; null: when memory is short"),
  shuffle: z.boolean().default(true),
  seed: z.int().nonnegative().default(0),
  max_steps: z.int().positive().nullable().default(null),
  validation_every: z.int().positive().nullable().default(null).describe("steps; null: after each epoch"),
  early_stopping_patience: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("stop after this many validations without a better loss; the best weights are kept"),
  checkpoint_every: z.int().positive().nullable().default(null).describe("steps; null: after each epoch"),
  dpo: DpoOptions.prefault({}),
  lora: LoraOptions.prefault({}),
});
export type TrainingOptions = z.output<typeof TrainingOptions>;

/** What the preference term of a loss is decided by. */
export function preferenceSettings({ dpo }: TrainingOptions): PreferenceSettings {
  return { loss_type: dpo.loss_type, beta: dpo.ref_policy_kl_penalty, label_smoothing: dpo.label_smoothing };
}

/** The same, or null where likelihood is all there is. */
export function preferenceOf(options: TrainingOptions): PreferenceSettings | null {
  return options.training_type === "sft" ? null : preferenceSettings(options);
}

/** Whether a sequence's log-probability is divided by its length. IPO is defined so, as TRL has it. */
export function averages({ dpo }: TrainingOptions): boolean {
  return dpo.preference_average_log_probs || dpo.loss_type === "ipo";
}
