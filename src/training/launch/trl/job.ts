import type { TrlInput } from "../launch-plan.ts";
import { loraOf, type Optimisation, optimisation } from "../optimisation.ts";
import type { TrainingShape } from "../training-shape.ts";

/** What its checkpoints are told by, unless the options name another of its metrics. */
export const VALIDATION_LOSS = "eval_loss";

/** Checkpoints that are kept: the last ones, and the best. */
const KEPT = 3;

/** The JSON file that `train_dpo.py` reads: files, model, and the arguments of TRL's `DPOConfig` under its own names. */
export function trlJob(input: TrlInput, shape: TrainingShape): Record<string, unknown> {
  const { files, output, options } = input;
  const { model_name, hyperparameters, precision } = options;
  const lora = loraOf(hyperparameters);
  return {
    model_name,
    training_file: files.training.path,
    validation_file: files.validation.path,
    metrics_file: `${output}/metrics.jsonl`,
    model_dir: `${output}/model`,
    merge: lora?.merge ?? false,
    lora: lora && {
      r: lora.dim,
      lora_alpha: lora.alpha,
      lora_dropout: lora.dropout,
      target_modules: lora.target_modules ?? "all-linear",
      task_type: "CAUSAL_LM",
    },
    arguments: {
      output_dir: `${output}/checkpoints`,
      // All weights are trained in float32, and computed with in `precision`; frozen ones need no more than that.
      model_init_kwargs: { dtype: lora === null ? "float32" : precision },
      bf16: precision === "bfloat16",
      ...(input.machine.gpus === 0 ? { use_cpu: true } : {}),
      ...batchArguments(input, shape),
      ...optimiserArguments(optimisation(hyperparameters)),
      ...lossArguments(input),
      max_length: options.max_length,
      ...stepArguments(input, shape),
      report_to: [],
      disable_tqdm: true,
    },
  };
}

function batchArguments({ options }: TrlInput, { micro_batch_size, data_parallel }: TrainingShape) {
  const { batch_size, epochs, max_steps } = options.hyperparameters;
  return {
    per_device_train_batch_size: micro_batch_size,
    per_device_eval_batch_size: micro_batch_size,
    gradient_accumulation_steps: batch_size / (micro_batch_size * data_parallel),
    num_train_epochs: epochs,
    max_steps: max_steps ?? -1,
  };
}

function optimiserArguments(settings: Optimisation): Record<string, unknown> {
  const { learning_rate, weight_decay, betas, epsilon, max_grad_norm, seed, warmup_steps, shuffle } = settings;
  return {
    optim: "adamw_torch",
    learning_rate,
    ...schedulerArguments(settings),
    warmup_steps,
    weight_decay,
    adam_beta1: betas[0],
    adam_beta2: betas[1],
    adam_epsilon: epsilon,
    // 0 is transformers' word for never.
    max_grad_norm: max_grad_norm ?? 0,
    seed,
    ...(shuffle ? {} : { train_sampling_strategy: "sequential" }),
  };
}

function schedulerArguments({ schedule, min_learning_rate }: Optimisation): Record<string, unknown> {
  switch (schedule) {
    case "constant":
      return { lr_scheduler_type: "constant_with_warmup" };
    case "linear":
      return min_learning_rate === 0
        ? { lr_scheduler_type: "linear" }
        : { lr_scheduler_type: "polynomial", lr_scheduler_kwargs: { lr_end: min_learning_rate, power: 1 } };
    case "cosine":
      return { lr_scheduler_type: "cosine_with_min_lr", lr_scheduler_kwargs: { min_lr: min_learning_rate } };
  }
}

/** TRL's `sft` averages over tokens, where NeMo's default sums them: `lossWarnings` says so. */
function lossArguments({ options }: TrlInput): Record<string, unknown> {
  const { dpo, pairwright: own } = options.hyperparameters;
  const usual = dpo.preference_average_log_probs ? "sigmoid_norm" : "sigmoid";
  const preference = own?.loss_type === undefined || own.loss_type === "sigmoid" ? usual : own.loss_type;
  const { preference_loss_weight, sft_loss_weight } = dpo;
  return {
    beta: dpo.ref_policy_kl_penalty,
    loss_type: sft_loss_weight === 0 ? [preference] : [preference, "sft"],
    loss_weights: sft_loss_weight === 0 ? [preference_loss_weight] : [preference_loss_weight, sft_loss_weight],
    ...(own?.label_smoothing !== undefined && { label_smoothing: own.label_smoothing }),
  };
}

function stepArguments({ options }: TrlInput, { validate_every, save_every }: TrainingShape): Record<string, unknown> {
  const metric = options.checkpoint_metric ?? VALIDATION_LOSS;
  return {
    logging_steps: options.hyperparameters.log_every_n_steps ?? 1,
    logging_first_step: true,
    eval_strategy: "steps",
    eval_steps: validate_every,
    eval_on_start: true,
    save_strategy: "steps",
    save_steps: save_every,
    save_total_limit: KEPT,
    metric_for_best_model: metric,
    greater_is_better: /accurac|margins$|rewards\/chosen$/.test(metric),
  };
}
