import type { LaunchTarget } from "./launch-plan.ts";

/** What NeMo RL's DPO collects of a validation (`DPOValMetrics` of `nemo_rl/algorithms/dpo.py`), and of a step. */
const VALIDATION = [
  ...["loss", "sft_loss", "preference_loss", "accuracy", "rewards_chosen_mean", "rewards_rejected_mean"],
  ...["num_valid_samples", "global_valid_seqs", "global_valid_toks"],
];
const STEP = [...VALIDATION, "grad_norm", "lr"];

/** What TRL's DPOTrainer logs of an evaluation. */
const EVALUATION = [
  ...["loss", "entropy", "mean_token_accuracy", "logits/chosen", "logits/rejected", "logps/chosen", "logps/rejected"],
  ...["rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies"],
];

/** The names by which each trainer can choose its best checkpoint. With another one it stops at its first checkpoint. */
export const METRIC_NAMES: Readonly<Record<LaunchTarget, readonly string[]>> = {
  "nemo-rl": [...VALIDATION.map((name) => `val:validation-default_${name}`), ...STEP.map((name) => `train:${name}`)],
  trl: EVALUATION.map((name) => `eval_${name}`),
};
