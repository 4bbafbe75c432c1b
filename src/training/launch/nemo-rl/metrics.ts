import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../../lib/errors.ts";
import type { Watch } from "../launch-plan.ts";
import type { MetricRecord } from "../metric-record.ts";
import { readScalars } from "./event-file.ts";

/** NeMo RL's names of what a step, or a validation, logs, and ours. */
const NAMES: Readonly<Record<string, string>> = {
  loss: "loss",
  preference_loss: "preference_loss",
  sft_loss: "sft_loss",
  grad_norm: "grad_norm",
  lr: "learning_rate",
  accuracy: "rewards/accuracies",
  num_valid_samples: "num_valid_samples",
};

const PREFIXES: Readonly<Record<string, string>> = { train: "", "validation-default": "eval_" };

const CHOSEN = "rewards_chosen_mean";
const REJECTED = "rewards_rejected_mean";

/**
 * What NeMo RL logged for TensorBoard, in the order of its runs: a run that was resumed has the next `exp_NNN` in the
 * folder. Names are ours where we have the same; what is not known is left out. A folder that is not there holds none.
 */
export async function* nemoRlMetrics(
  { metrics, beta }: Pick<Watch, "metrics" | "beta">,
  signal?: AbortSignal,
): AsyncGenerator<MetricRecord> {
  const toValues = namesOf(beta);
  for (const run of await namesIn(metrics, /^exp_\d+$/)) {
    const folder = join(metrics, run, "tensorboard");
    for (const name of await namesIn(folder, /^events\.out\.tfevents\./)) {
      for await (const { tag, value, step, at_s } of readScalars(join(folder, name), signal)) {
        const values = toValues(tag, value);
        if (values !== undefined) yield { step, at_s, values };
      }
    }
  }
}

/** NeMo RL's rewards are not multiplied by beta, and it logs no margin. */
function namesOf(beta: number): (tag: string, value: number) => Record<string, number> | undefined {
  const chosen: Record<string, number> = {};
  return (tag, value) => {
    const [first = "", name = ""] = tag.split("/");
    const prefix = PREFIXES[first];
    if (prefix === undefined) return undefined;
    if (name === CHOSEN) {
      chosen[prefix] = beta * value;
      return { [`${prefix}rewards/chosen`]: beta * value };
    }
    if (name === REJECTED) {
      const margin = (chosen[prefix] ?? Number.NaN) - beta * value;
      return { [`${prefix}rewards/rejected`]: beta * value, [`${prefix}rewards/margins`]: margin };
    }
    const known = NAMES[name];
    return known === undefined ? undefined : { [prefix + known]: value };
  };
}

/** In the order of their numbers. */
async function namesIn(folder: string, pattern: RegExp): Promise<string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => pattern.test(name));
    return names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
