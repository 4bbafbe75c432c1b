import type { LaunchInput, LaunchPlan } from "./launch-plan.ts";
import { planNemoRl } from "./nemo-rl/plan.ts";
import { refuseUnsupported } from "./refuse-unsupported.ts";
import { planTrl } from "./trl/plan.ts";
import { refuseControlCharacters } from "./usable-paths.ts";

/**
 * The files of a training on another trainer, and how it is started; writes nothing. Errors: `hyperparameter_unsupported`,
 * `batch_not_divisible`, `gpus_not_divisible`, `gpus_missing`, `path_unusable`.
 */
export function planLaunch(input: LaunchInput): LaunchPlan {
  const { dir, output, files, options } = input;
  refuseControlCharacters([dir, output, files.training.path, files.validation.path, options.model_name]);
  refuseUnsupported(input.target, input.options.hyperparameters);
  return input.target === "nemo-rl" ? planNemoRl(input) : planTrl(input);
}
