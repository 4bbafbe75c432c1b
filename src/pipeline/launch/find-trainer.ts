import type { Config } from "../../config/config.ts";
import { usageError } from "../../lib/errors.ts";
import { NemoRlOptions, TrlOptions } from "../../training/launch/launch-options.ts";
import type { LaunchTarget } from "../../training/launch/launch-plan.ts";
import type { LaunchTrainer } from "./launch-training.ts";

const TYPES: Readonly<Record<LaunchTarget, string>> = {
  "nemo-rl": "nemo_rl_trainer_adapter",
  trl: "trl_trainer_adapter",
};

/**
 * The trainer adapter for a target: the one that `finetuning.trainer_adapter` names if it is of that type, else the only
 * one of that type. Errors: `no_trainer_adapter`, `ambiguous`.
 */
export function findTrainer(
  config: Pick<Config, "trainer_adapters" | "finetuning" | "file">,
  on: LaunchTarget,
): LaunchTrainer {
  const type = TYPES[on];
  const fitting = Object.values(config.trainer_adapters).filter((adapter) => adapter.type === type);
  const named = fitting.find(({ name }) => name === config.finetuning.trainer_adapter);
  const [only, ...others] = fitting;
  const adapter = named ?? only;
  if (adapter === undefined) {
    throw usageError({
      code: "no_trainer_adapter",
      where: config.file,
      what: `there is no ${type}, which holds the settings of --on ${on}`,
      fix: `add one: trainer_adapters: {${type.split("_")[0]}: {_type: ${type}, model_name: …}}`,
    });
  }
  if (named === undefined && others.length > 0) {
    throw usageError({
      code: "ambiguous",
      where: "trainer_adapters",
      what: `there are several of type ${type} (${fitting.map(({ name }) => name).join(", ")})`,
      fix: "set finetuning.trainer_adapter",
    });
  }
  return on === "trl"
    ? { target: on, options: TrlOptions.parse(adapter.options) }
    : { target: on, options: NemoRlOptions.parse(adapter.options) };
}
