import type { TrainingHyperparameters } from "../nemo-customizer-options.ts";

/** How the optimiser goes, with the Customizer's defaults: one configuration trains the same way wherever it does. */
export interface Optimisation {
  learning_rate: number;
  schedule: "constant" | "linear" | "cosine";
  warmup_steps: number;
  /** What the schedule ends at. */
  min_learning_rate: number;
  weight_decay: number;
  betas: [number, number];
  epsilon: number;
  /** null: gradients are never scaled. */
  max_grad_norm: number | null;
  seed: number;
  shuffle: boolean;
}

/** The same choices as the embedded platform makes for a Customizer job (`platform/customizer/training-settings.ts`). */
export function optimisation(given: TrainingHyperparameters): Optimisation {
  const { learning_rate, pairwright: own = {} } = given;
  const schedule = own.schedule ?? (given.optimizer?.endsWith("flat_lr") ? "constant" : "cosine");
  const ratio = own.min_learning_rate_ratio ?? ((given.min_learning_rate || 0) / learning_rate || 0.1);
  return {
    learning_rate,
    schedule,
    warmup_steps: given.warmup_steps ?? 0,
    min_learning_rate: schedule === "constant" ? learning_rate : Number((ratio * learning_rate).toPrecision(12)),
    weight_decay: given.weight_decay ?? (given.optimizer?.startsWith("adam_") ? 0 : 0.01),
    betas: [given.adam_beta1 ?? 0.9, given.adam_beta2 ?? 0.999],
    epsilon: own.adam_epsilon ?? 1e-8,
    max_grad_norm: own.max_grad_norm === undefined ? (given.dpo.max_grad_norm ?? 1) : own.max_grad_norm,
    seed: given.seed ?? 42,
    shuffle: own.shuffle ?? true,
  };
}

/** The adapters of a LoRA training; null where all weights are trained. */
export function loraOf({ finetuning_type, lora }: TrainingHyperparameters) {
  if (finetuning_type === "all_weights") return null;
  return {
    dim: lora?.adapter_dim ?? 8,
    alpha: lora?.alpha ?? 16,
    dropout: lora?.adapter_dropout ?? 0,
    /** null: every linear layer. */
    target_modules: lora?.target_modules?.flatMap((name) => ALIASES[name] ?? [name]) ?? null,
    merge: finetuning_type === "lora_merged",
  };
}

/** NeMo's names for layers that a Hugging Face model has apart. */
const ALIASES: Record<string, readonly string[]> = {
  linear_qkv: ["q_proj", "k_proj", "v_proj"],
  linear_proj: ["o_proj"],
  linear_fc1: ["gate_proj", "up_proj"],
  linear_fc2: ["down_proj"],
};
