import type { Config } from "../../config/config.ts";
import { usageError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";

/** Refuses by name what `finetuning:` asks for and nothing here does, before anything is spent. */
export function refuseSettings(
  { finetuning, eval: { evaluators }, file }: Config,
  log: Logger,
  rounds: number = finetuning.rounds.count,
): void {
  const { enabled, curriculum_learning, target_functions, num_epochs, reward_function } = finetuning;
  const refuse = (key: string, what: string, fix: string) => {
    throw usageError({ code: "not_supported", where: `${file}: finetuning.${key}`, what, fix });
  };
  if (!enabled) {
    throw usageError({
      code: "finetuning_disabled",
      where: file,
      what: "finetuning.enabled is false",
      fix: "set finetuning.enabled: true, or -o finetuning.enabled true",
    });
  }
  if (curriculum_learning.enabled && rounds === 1) {
    refuse(
      "curriculum_learning",
      "a single round has no later ones to widen the choice in",
      "ask for more with finetuning.rounds.count or --rounds, or set enabled: false",
    );
  }
  if (target_functions.length !== 1 || target_functions[0] !== "<workflow>") {
    refuse(
      "target_functions",
      "pairs are made of every candidate of the builder's step name, whatever function it is in",
      'leave it at ["<workflow>"]; name the steps of the functions apart, and set ttc_step_name',
    );
  }
  if (num_epochs > 1) {
    log.warn("finetuning.num_epochs is not used: num_runs and hyperparameters.epochs say how often");
  }
  if (reward_function && evaluators[reward_function.name] === undefined) {
    refuse("reward_function", `there is no evaluator "${reward_function.name}"`, "name one of eval.evaluators");
  }
}
