import { usageError } from "../../lib/errors.ts";
import type { TrainingHyperparameters } from "../nemo-customizer-options.ts";
import type { LaunchTarget } from "./launch-plan.ts";

const NAMES: Record<LaunchTarget, string> = { "nemo-rl": "NeMo RL", trl: "TRL" };

/** Of the part `pairwright`: what a launch honours. */
const OWN: Record<LaunchTarget, readonly string[]> = {
  "nemo-rl": ["schedule", "min_learning_rate_ratio", "adam_epsilon", "max_grad_norm", "shuffle", "loss_type"],
  trl: [
    ...["schedule", "min_learning_rate_ratio", "adam_epsilon", "max_grad_norm", "shuffle", "loss_type"],
    "label_smoothing",
  ],
};

/**
 * Refuses hyperparameters that the trainer does not have: left out, something else would be trained than was asked for.
 * Errors: `hyperparameter_unsupported`, for the first of them, with the names of all.
 */
export function refuseUnsupported(target: LaunchTarget, given: TrainingHyperparameters): void {
  const faults = [...commonFaults(given), ...(target === "nemo-rl" ? nemoRlFaults(given) : trlFaults(given))];
  for (const [key, value] of Object.entries(given.pairwright ?? {})) {
    if (value !== undefined && !OWN[target].includes(key)) faults.push(`pairwright.${key}`);
  }
  if (faults.length === 0) return;
  throw usageError({
    code: "hyperparameter_unsupported",
    where: `hyperparameters.${faults[0]}`,
    what: `a training by DPO on ${NAMES[target]} cannot do what is asked for by ${faults.join(", ")}`,
    fix: "leave it out, or train with another trainer adapter",
  });
}

function commonFaults(given: TrainingHyperparameters): string[] {
  const { training_type, sequence_packing_enabled, sft, distillation, grpo } = given;
  return [
    // Both decay weights as AdamW does.
    ...(given.optimizer?.startsWith("adam_") && given.weight_decay ? ["weight_decay"] : []),
    ...(training_type === "dpo" ? [] : ["training_type"]),
    // Both trainers refuse packed sequences in DPO, TRL with no more than a warning.
    ...(sequence_packing_enabled ? ["sequence_packing_enabled"] : []),
    ...Object.entries({ sft, distillation, grpo }).flatMap(([key, value]) => (value == null ? [] : [key])),
  ];
}

function nemoRlFaults(given: TrainingHyperparameters): string[] {
  const { finetuning_type, pairwright: own } = given;
  return [
    ...(finetuning_type === "lora_merged" ? ["finetuning_type"] : []),
    ...(own?.loss_type === undefined || own.loss_type === "sigmoid" ? [] : ["pairwright.loss_type"]),
  ];
}

function trlFaults({ dpo, lora, pairwright: own }: TrainingHyperparameters): string[] {
  const other = own?.loss_type !== undefined && own.loss_type !== "sigmoid";
  return [
    ...(other && dpo.preference_average_log_probs ? ["dpo.preference_average_log_probs"] : []),
    // PEFT takes the names themselves.
    ...(lora?.target_modules?.some((name) => name.includes("*")) ? ["lora.target_modules"] : []),
  ];
}
