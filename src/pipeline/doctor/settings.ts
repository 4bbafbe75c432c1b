import type { Config } from "../../config/config.ts";
import type { Logger } from "../../lib/log.ts";
import type { BackendCheck, Finding } from "../../registry/training-backend.ts";
import type { TrainingParts } from "../assemble-training.ts";
import { type Measuring, planOf } from "../finetune/measuring.ts";
import { refuseSettings } from "../finetune/refuse-settings.ts";
import type { Parts } from "../parts.ts";
import { failed, ok, skipped, warning } from "./check.ts";
import { readDataset } from "./training-data.ts";

/** Whether `finetune` will take what `finetuning:` says. */
export function finetuningCheck(config: Config): BackendCheck {
  return {
    name: "finetuning",
    async look() {
      if (!config.finetuning.enabled) return warning(DISABLED);
      const said: string[] = [];
      const note = (line: string) => void said.push(line);
      const log: Logger = { debug: () => undefined, info: () => undefined, warn: note };
      refuseSettings(config, log);
      return said.length === 0 ? ok("its settings are understood") : warning(said.join("; "));
    },
  };
}

const DISABLED = "finetuning.enabled is false: finetune will refuse this configuration; set it to true";

/** How the trained model will be judged, and whether it can be: one that is not deployed answers nobody. */
export function gateCheck(
  parts: Parts,
  { config, training, measuring }: { config: Config; training: TrainingParts; measuring: () => Measuring | string },
): BackendCheck {
  const { gate, held_out } = config.finetuning;
  return {
    name: "gate",
    async look(signal) {
      const how = measuring();
      if (typeof how === "string") return skipped(how);
      const { held } = await readDataset(parts, held_out, signal);
      const { metric, held_out: judged } = await planOf(parts, held, how);
      if (!training.backend.deploy_on_completion) return undeployed(gate !== undefined);
      const { examples } = judged;
      if (examples === 0)
        return warning(`${metric} is measured on what was trained on: set finetuning.held_out above 0`);
      if (gate !== undefined && examples < gate.min_n) {
        return warning(
          `${examples} examples are held out, and gate.min_n is ${gate.min_n}: the verdict will be inconclusive; raise held_out or lower min_n`,
        );
      }
      return ok(`the model will be judged by ${metric} on ${examples} examples that are not collected from`);
    },
  };
}

function undeployed(is_gate: boolean): Finding {
  const text = "deploy_on_completion is false, and a model that is not deployed cannot be measured";
  return is_gate
    ? failed(`${text}: the gate would never pass; set deploy_on_completion: true`)
    : warning(`${text}; set deploy_on_completion: true, or leave it so and measure later with eval`);
}
