import type { ComponentConfig } from "../config/config.ts";
import { PairwrightError, usageError } from "../lib/errors.ts";
import { assemble } from "../pipeline/assemble.ts";
import type { Measuring } from "../pipeline/finetune/measuring.ts";
import type { GateCriteria } from "../pipeline/gate.ts";
import { policyLlm, withModel } from "../pipeline/measure/policy-llm.ts";
import type { Loaded } from "./collecting.ts";
import { wholeNumber } from "./flags.ts";

/** How to measure before and after; undefined where nobody could say what, or nothing here calls the model. */
export function measuringOf({ config, builtins, terminal, flags }: Loaded): Measuring | undefined {
  const { finetuning, eval: evaluation, nim_url } = config;
  const asked = flags.gate === true || finetuning.gate !== undefined;
  if (!asked && Object.keys(evaluation.evaluators).length === 0) return undefined;
  const no = (error: PairwrightError): undefined => {
    if (asked) throw error;
    terminal.warn(`the model is not measured before and after: ${error.message}`);
  };
  if (typeof flags.endpoint === "string") return no(notOurModel("--endpoint", "the workflow is served elsewhere"));
  let llm: ComponentConfig;
  try {
    llm = policyLlm(config);
  } catch (error) {
    if (!PairwrightError.is(error)) throw error;
    return no(error);
  }
  const { name } = llm;
  const { model_name } = llm.options;
  if (typeof model_name !== "string") return no(notOurModel(`llms.${name}`, "it has no model_name to put another in"));
  const { metric = finetuning.reward_function?.name, ...criteria } = { ...NO_GATE, ...finetuning.gate };
  const gate = flags.gate === true ? "exit" : asked ? "on" : "off";
  const own = flags.validationDataset ?? flags.dataset;
  return {
    ...{ llm: name, model: model_name, metric, criteria, gate, own_dataset: flags.validationDataset !== undefined },
    ...{ best_of_n: finetuning.best_of_n, seed: wholeNumber(flags, "seed") ?? 0 },
    parts: (model) =>
      assemble(model === null ? config : withModel(config, name, { model_name: model, base_url: nim_url }), {
        ...{ builtins, log: terminal, cache: false, output_dir: finetuning.output_dir },
        dataset_file: typeof own === "string" ? own : undefined,
      }),
  };
}

const NO_GATE: { metric?: string | undefined } & GateCriteria = { min_gain: 0, confidence: 0.95, min_n: 1 };

function notOurModel(where: string, what: string): PairwrightError {
  const fix = "leave finetuning.gate and --gate out, or let an llm of the configuration answer";
  return usageError({ code: "not_measurable", where, what, fix });
}
