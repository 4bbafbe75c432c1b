import type { JobCreate, TrainingOption } from "../../training/wire/customizer.ts";
import type { Hyperparameters } from "../../training/wire/hyperparameters.ts";
import { given } from "../entities/given.ts";
import { badField } from "../http/http-fault.ts";
import type { UsedConfig } from "./find-config.ts";
import type { StoredTarget } from "./stored.ts";

/** The first that fits. `lora_merged` is trained as LoRA is. Errors: 422. */
export function trainingOption(config: UsedConfig, wanted: Hyperparameters): TrainingOption {
  const { finetuning_type, training_type = "sft" } = wanted;
  const found = config.training_options.find(
    (option) => option.training_type === (training_type ?? "sft") && option.finetuning_type === finetuning_type,
  );
  if (found !== undefined) return found;
  const known = config.training_options.map((option) => `${option.training_type} with ${option.finetuning_type}`);
  throw badField(
    "hyperparameters.training_type",
    `the config does not offer ${training_type ?? "sft"} with ${finetuning_type}; it has ${known.join(", ")}`,
  );
}

/** What other machines would do and this one does not is refused, unless the model is the same without it. */
export function refuseForeign({ dataset_parameters }: JobCreate): void {
  const [name] = Object.keys(given(dataset_parameters ?? {}));
  if (name !== undefined) throw badField(`dataset_parameters.${name}`, "is not done on this machine; leave it out");
}

/** What a job asks for that makes no difference to its model, and that this platform does not do. */
export function otherWarnings({ integrations }: JobCreate, config: UsedConfig, target: StoredTarget) {
  const { training_precision, max_seq_length } = config;
  const { _context_size = max_seq_length } = target;
  const warnings: { message: string; explanation: string }[] = [];
  if (typeof training_precision === "string" && training_precision !== "fp32") {
    warnings.push({
      message: `training_precision ${training_precision} is not used`,
      explanation: "this platform trains on the processor, in fp32",
    });
  }
  if (max_seq_length > _context_size) {
    warnings.push({
      message: `max_seq_length ${max_seq_length} is ${_context_size} here`,
      explanation: "the model cannot take more tokens; longer rows are cut or left out, and counted",
    });
  }
  for (const { type } of integrations ?? []) {
    warnings.push({
      message: `the integration ${type} gets nothing`,
      explanation: "this platform sends nothing to other services; the curves are in the job's status",
    });
  }
  return warnings;
}
