import { LINEAR_MODULES } from "../../engine/model/parameters.ts";
import { TrainingOptions } from "../../engine/train/training-options.ts";
import type { Hyperparameters } from "../../training/wire/hyperparameters.ts";
import { type FieldFault, unprocessable } from "../http/http-fault.ts";
import type { JobPlan } from "./stored.ts";

/** What a job's hyperparameters come to, and what is told about them. */
export interface TrainingSettings
  extends Pick<JobPlan, "options" | "log_every_n_steps" | "val_check_interval" | "stop_early"> {
  warnings: { message: string; explanation: string }[];
}

/** The service's own defaults, where the two kinds of training differ. */
const DEFAULTS = {
  sft: { epochs: 50, batch_size: 8, learning_rate: 1e-4 },
  dpo: { epochs: 1, batch_size: 16, learning_rate: 9e-6 },
} as const;

/**
 * Hyperparameters as the engine's options, with the services' defaults. What the engine cannot do is refused by its name:
 * ignored, it would train something else than was asked for. The `dpo` block of an SFT job and the `lora` block of one
 * that trains all weights say nothing, as in the services. Errors: 422 with every field that cannot be honoured.
 */
export function trainingSettings(given: Hyperparameters, max_seq_length: number): TrainingSettings {
  const faults = refusals(given);
  const type = given.training_type === "dpo" ? "dpo" : "sft";
  const defaults = DEFAULTS[type];
  const learning_rate = given.learning_rate ?? defaults.learning_rate;
  const { pairwright: own = {} } = given;
  const options = {
    training_type: type,
    finetuning_type: given.finetuning_type === "all_weights" ? "all_weights" : "lora",
    epochs: given.epochs ?? defaults.epochs,
    batch_size: given.batch_size ?? defaults.batch_size,
    learning_rate,
    schedule: own.schedule ?? (given.optimizer?.endsWith("flat_lr") ? "constant" : "cosine"),
    warmup_steps: given.warmup_steps ?? 0,
    min_learning_rate_ratio: own.min_learning_rate_ratio ?? ((given.min_learning_rate || 0) / learning_rate || 0.1),
    weight_decay: given.weight_decay ?? (given.optimizer?.startsWith("adam_") ? 0 : 0.01),
    adam_beta1: given.adam_beta1 ?? 0.9,
    adam_beta2: given.adam_beta2 ?? 0.999,
    max_steps: given.max_steps === -1 ? null : (given.max_steps ?? null),
    seed: given.seed ?? 42,
    max_length: Math.min(own.max_length ?? max_seq_length, max_seq_length),
    max_grad_norm: own.max_grad_norm === undefined ? (given.dpo?.max_grad_norm ?? 1) : own.max_grad_norm,
    ...engineOptions(own),
    dpo: dpoOptions(given, type),
    lora: loraOptions(given, faults),
  };
  const parsed = TrainingOptions.safeParse(options);
  if (!parsed.success) faults.push(...parsed.error.issues.map(({ path, message }) => placed(path, message)));
  if (faults.length > 0 || !parsed.success) throw unprocessable(...faults);
  return {
    options: parsed.data,
    log_every_n_steps: given.log_every_n_steps ?? 10,
    val_check_interval: given.val_check_interval ?? null,
    stop_early: own.early_stopping_patience === undefined,
    warnings: given.sequence_packing_enabled ? [PACKING] : [],
  };
}

const PACKING = {
  message: "sequence_packing_enabled has no effect",
  explanation: "this platform computes each prompt once with all its replies, and never pads; there is nothing to pack",
};

function refusals(given: Hyperparameters): FieldFault[] {
  const faults: FieldFault[] = [];
  const refuse = (path: string, message: string) => faults.push(fault(path.split("."), message));
  const type = given.training_type ?? "sft";
  if (type !== "sft" && type !== "dpo") refuse("training_type", `${type} is not done on this machine; sft and dpo are`);
  for (const block of ["distillation", "grpo"] as const) {
    if (given[block]) refuse(block, `${block} is not done on this machine; leave it out`);
  }
  const dropouts = { "lora.adapter_dropout": given.lora?.adapter_dropout, ...withPrefix("sft", given.sft ?? {}) };
  for (const [path, value] of Object.entries(dropouts)) {
    if (value) refuse(path, "this engine has no dropout; it must be 0 or left out");
  }
  const rate = given.learning_rate ?? DEFAULTS[type === "dpo" ? "dpo" : "sft"].learning_rate;
  if (given.min_learning_rate && given.min_learning_rate >= rate) {
    refuse("min_learning_rate", `must be below the learning rate, ${rate}`);
  }
  if (given.optimizer?.endsWith("flat_lr") && given.min_learning_rate) {
    refuse("min_learning_rate", `${given.optimizer} keeps one learning rate; leave this out`);
  }
  if (given.optimizer?.startsWith("adam_") && given.weight_decay) {
    refuse("weight_decay", "this engine decays weights as AdamW does; name an adamw optimizer, or set it to 0");
  }
  if (given.pairwright?.optimizer_from !== undefined && given.finetuning_type !== "all_weights") {
    refuse(
      "pairwright.optimizer_from",
      "adapters begin anew in each job, and so does their optimiser; train all_weights",
    );
  }
  if (given.pairwright?.start_from !== undefined && given.finetuning_type === "lora") {
    refuse("pairwright.start_from", "an adapter belongs to its config's model; train all_weights or lora_merged");
  }
  return faults;
}

function withPrefix(prefix: string, values: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}.${key}`, value]));
}

/** What the extension hands to the engine under the engine's own names. */
function engineOptions(own: NonNullable<Hyperparameters["pairwright"]>) {
  const { batch_unit, gradient_accumulation_steps, adam_epsilon, shuffle } = own;
  const { max_tokens_per_micro_batch, recompute, early_stopping_patience, checkpoint_every } = own;
  return {
    ...{ batch_unit, gradient_accumulation_steps, adam_epsilon, shuffle },
    ...{ max_tokens_per_micro_batch, recompute, early_stopping_patience, checkpoint_every },
  };
}

function dpoOptions({ dpo, pairwright: own = {} }: Hyperparameters, type: "sft" | "dpo") {
  if (type === "sft") return {};
  return {
    ref_policy_kl_penalty: dpo?.ref_policy_kl_penalty ?? 0.05,
    preference_loss_weight: dpo?.preference_loss_weight ?? 1,
    preference_average_log_probs: dpo?.preference_average_log_probs ?? false,
    sft_loss_weight: dpo?.sft_loss_weight ?? 0,
    sft_average_log_probs: dpo?.sft_average_log_probs ?? false,
    loss_type: own.loss_type,
    label_smoothing: own.label_smoothing,
  };
}

function loraOptions({ lora, finetuning_type }: Hyperparameters, faults: FieldFault[]) {
  if (finetuning_type === "all_weights") return {};
  const rank = lora?.adapter_dim ?? 8;
  const modules = modulesOf(lora?.target_modules ?? LINEAR_MODULES, faults);
  return { rank, alpha: lora?.alpha ?? 16, ...(modules.length > 0 && { target_modules: modules }) };
}

/** NeMo's names for layers that a Hugging Face model has apart. */
const ALIASES: Record<string, readonly string[]> = {
  linear_qkv: ["q_proj", "k_proj", "v_proj"],
  linear_proj: ["o_proj"],
  linear_fc1: ["gate_proj", "up_proj"],
  linear_fc2: ["down_proj"],
};

/** The layers that names and patterns such as `*_proj` stand for. */
function modulesOf(patterns: readonly string[], faults: FieldFault[]): string[] {
  const found = new Set<string>();
  for (const pattern of patterns) {
    const names = [...LINEAR_MODULES, ...Object.keys(ALIASES)].filter((name) => globMatches(pattern, name));
    if (names.length === 0) {
      const known = [...LINEAR_MODULES, ...Object.keys(ALIASES)].join(", ");
      faults.push(fault(["lora", "target_modules"], `${JSON.stringify(pattern)} is none of ${known}`));
    }
    for (const name of names) for (const module of ALIASES[name] ?? [name]) found.add(module);
  }
  return LINEAR_MODULES.filter((module) => found.has(module));
}

/** Whether a name is what a pattern with `*` describes. By parts, not by a regular expression: clients write patterns. */
function globMatches(pattern: string, name: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return pattern === name;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}

/** Where the client finds a field that the engine refuses: under its own name, or that of the wire. */
function placed(path: readonly PropertyKey[], message: string): FieldFault {
  const [first = "", second = ""] = path.map(String);
  if (first === "lora") return fault(["lora", second === "rank" ? "adapter_dim" : second], message);
  if (first === "dpo") {
    const own = second === "loss_type" || second === "label_smoothing";
    return fault([own ? "pairwright" : "dpo", second], message);
  }
  return fault([first], message);
}

function fault(path: readonly string[], msg: string): FieldFault {
  return { loc: ["body", "hyperparameters", ...path], msg, type: "value_error" };
}
