import type { TrainingFile } from "../../../registry/training-backend.ts";
import type { NemoRlInput } from "../launch-plan.ts";
import { loraOf, type Optimisation, optimisation } from "../optimisation.ts";
import type { TrainingShape } from "../training-shape.ts";
import { omegaText } from "./omega-text.ts";

/** What its checkpoints are told by, unless the options name another of its metrics. */
export const VALIDATION_LOSS = "val:validation-default_loss";

/** The dataset class of NeMo RL that reads each of our formats, with the names of its columns. */
const DATASET_CLASSES = {
  "nemo-rl-binary": {
    dataset_name: "BinaryPreferenceDataset",
    prompt_key: "prompt",
    chosen_key: "chosen",
    rejected_key: "rejected",
  },
  "nemo-rl-ranked": { dataset_name: "PreferenceDataset" },
} as const;

/**
 * The file that `examples/run_dpo.py --config` of NeMo RL loads (0.6, and main of 2026). It extends NeMo RL's own
 * `dpo.yaml` by its absolute path: `defaults: [dpo]`, as older guides have it, is a file that is not there. `data` replaces
 * the base's section as a whole (`_override_`, which NeMo RL honours for top-level sections): merged, the base's
 * `HelpSteer3` would be trained on in place of the user's file.
 */
export function nemoRlConfig(input: NemoRlInput, shape: TrainingShape): string {
  const { output, machine, options } = input;
  const { nemo_rl_dir, checkpoint_metric } = options;
  const metric = checkpoint_metric ?? VALIDATION_LOSS;
  return omegaText({
    defaults: `${nemo_rl_dir}/examples/configs/dpo.yaml`,
    data: dataSection(input),
    policy: policySection(input, shape),
    dpo: dpoSection(input, shape),
    checkpointing: {
      enabled: true,
      checkpoint_dir: `${output}/checkpoints`,
      metric_name: metric,
      higher_is_better: /accuracy|chosen_mean$/.test(metric),
      keep_top_k: 3,
      save_period: shape.save_every,
      save_optimizer: true,
    },
    logger: {
      log_dir: `${output}/logs`,
      tensorboard_enabled: true,
      wandb_enabled: false,
      mlflow_enabled: false,
      swanlab_enabled: false,
    },
    cluster: { gpus_per_node: machine.gpus, num_nodes: machine.nodes },
  });
}

function dataSection({ options, files }: NemoRlInput): Record<string, unknown> {
  const { shuffle } = optimisation(options.hyperparameters);
  // A local file has one split, whose name is train, whatever it is used for.
  const dataset = ({ path }: TrainingFile) => ({
    ...DATASET_CLASSES[options.dataset_format],
    data_path: path,
    split: "train",
  });
  return {
    _override_: true,
    max_input_seq_length: options.max_length,
    shuffle,
    num_workers: 1,
    train: dataset(files.training),
    validation: dataset(files.validation),
  };
}

function policySection({ options }: NemoRlInput, shape: TrainingShape): Record<string, unknown> {
  const { model_name, hyperparameters, max_length, precision, tensor_parallel_size } = options;
  const settings = optimisation(hyperparameters);
  const { learning_rate, weight_decay, betas, epsilon, max_grad_norm } = settings;
  const lora = loraOf(hyperparameters);
  return {
    model_name,
    // Not tied to model_name in the base: left out, a Llama's tokenizer would stay.
    tokenizer: { name: model_name },
    train_global_batch_size: hyperparameters.batch_size,
    train_micro_batch_size: shape.micro_batch_size,
    max_total_sequence_length: max_length,
    precision,
    max_grad_norm,
    dtensor_cfg: {
      enabled: true,
      tensor_parallel_size,
      ...(lora !== null && { _v2: true, lora_cfg: loraSection(lora, tensor_parallel_size) }),
    },
    optimizer: { kwargs: { lr: learning_rate, weight_decay, betas, eps: epsilon } },
    scheduler: scheduler(settings, shape.total_steps),
  };
}

function loraSection(lora: NonNullable<ReturnType<typeof loraOf>>, tensor_parallel_size: number) {
  const { dim, alpha, dropout, target_modules } = lora;
  return {
    enabled: true,
    match_all_linear: target_modules === null,
    target_modules: target_modules ?? [],
    dim,
    alpha,
    dropout,
    use_triton: tensor_parallel_size === 1,
  };
}

/**
 * Schedulers of torch, one after the other; after a warm-up, the other has the steps that are left. A list also where it
 * is one, since the base has a list, which nothing else can take the place of.
 */
function scheduler(settings: Optimisation, total_steps: number) {
  const { warmup_steps: warmup } = settings;
  const main = mainScheduler(settings, Math.max(1, total_steps - warmup));
  if (warmup === 0) return [main, { milestones: [] }];
  const kwargs = { start_factor: 1 / (warmup + 1), end_factor: 1, total_iters: warmup };
  return [{ name: "torch.optim.lr_scheduler.LinearLR", kwargs }, main, { milestones: [warmup] }];
}

function mainScheduler({ schedule, learning_rate, min_learning_rate }: Optimisation, steps: number) {
  switch (schedule) {
    case "constant":
      return { name: "torch.optim.lr_scheduler.ConstantLR", kwargs: { factor: 1, total_iters: 1 } };
    case "linear": {
      const kwargs = { start_factor: 1, end_factor: min_learning_rate / learning_rate, total_iters: steps };
      return { name: "torch.optim.lr_scheduler.LinearLR", kwargs };
    }
    case "cosine":
      return {
        name: "torch.optim.lr_scheduler.CosineAnnealingLR",
        kwargs: { T_max: steps, eta_min: min_learning_rate },
      };
  }
}

function dpoSection({ options }: NemoRlInput, shape: TrainingShape): Record<string, unknown> {
  const { batch_size, epochs, dpo, seed } = options.hyperparameters;
  return {
    max_num_epochs: epochs,
    // A cap beside the epochs; the base's would end at 150.
    max_num_steps: Math.max(1, shape.total_steps),
    val_period: shape.validate_every,
    val_batches: -1,
    val_global_batch_size: batch_size,
    val_micro_batch_size: shape.micro_batch_size,
    val_at_start: true,
    // Without it the last checkpoint has no validation, and is never among the best.
    val_at_end: true,
    seed: seed ?? 42,
    reference_policy_kl_penalty: dpo.ref_policy_kl_penalty,
    preference_average_log_probs: dpo.preference_average_log_probs,
    sft_average_log_probs: dpo.sft_average_log_probs ?? false,
    preference_loss_weight: dpo.preference_loss_weight,
    sft_loss_weight: dpo.sft_loss_weight,
  };
}
