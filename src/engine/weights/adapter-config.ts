import { type PairwrightError, usageError } from "../../lib/errors.ts";
import { type ConfigFields, configFields, isObject } from "../model/config-fields.ts";
import { badAdapter } from "../model/lora.ts";
import { LINEAR_MODULES, type LinearModule } from "../model/parameters.ts";

/** What PEFT's adapter_config.json says that matters here. */
export interface AdapterConfig {
  rank: number;
  alpha: number;
  target_modules: LinearModule[];
  base_model_name_or_path: string | null;
}

/** Switches that make an adapter compute something else, each refused by its name where it is on. */
const SWITCHES = [
  "use_rslora",
  "use_dora",
  "fan_in_fan_out",
  "lora_bias",
  "use_qalora",
  "use_bdlora",
  "monteclora_config",
];
const LISTS = [
  "modules_to_save",
  "rank_pattern",
  "alpha_pattern",
  "layers_to_transform",
  "layer_replication",
  "exclude_modules",
  "target_parameters",
  "trainable_token_indices",
  "alora_invocation_tokens",
  "arrow_config",
];
/**
 * These ways to begin take something away from the base's weights, which then are no longer those of the named base.
 */
const CHANGES_BASE = /^(pissa|olora|loftq|corda|lora_ga)/i;

/**
 * Reads adapter_config.json (parsed). Whatever is not plain LoRA on a block's linear layers is an `unsupported_adapter`
 * error naming the key.
 */
export function readAdapterConfig(raw: unknown, where: string): AdapterConfig {
  if (!isObject(raw)) throw badAdapter(where, "the file holds no JSON object");
  const fields = configFields(raw, where);
  const type = fields.text("peft_type", null);
  if (type !== "LORA") throw unsupportedAdapter(where, "peft_type", JSON.stringify(type), '"LORA" is');
  refuseVariants(fields);
  return {
    rank: fields.count("r"),
    alpha: fields.positive("lora_alpha"),
    target_modules: readTargets(fields),
    base_model_name_or_path: fields.text("base_model_name_or_path", null),
  };
}

/** adapter_config.json as PEFT writes and reads it. */
export function adapterConfigJson(config: AdapterConfig): Record<string, unknown> {
  return {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: config.base_model_name_or_path,
    revision: null,
    inference_mode: true,
    r: config.rank,
    lora_alpha: config.alpha,
    lora_dropout: 0,
    target_modules: config.target_modules,
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    modules_to_save: null,
    layers_to_transform: null,
    layers_pattern: null,
    rank_pattern: {},
    alpha_pattern: {},
    use_rslora: false,
    use_dora: false,
  };
}

function refuseVariants(fields: ConfigFields): void {
  for (const key of SWITCHES) {
    const value = fields.value(key);
    if (fields.has(key) && value !== false)
      throw unsupportedAdapter(fields.where, key, JSON.stringify(value), "false is");
  }
  for (const key of LISTS) {
    const value = fields.value(key);
    if (fields.has(key) && (typeof value !== "object" || Object.keys(value as object).length > 0)) {
      throw unsupportedAdapter(fields.where, key, "set", "an adapter without it is");
    }
  }
  const bias = fields.text("bias", "none");
  if (bias !== "none") throw unsupportedAdapter(fields.where, "bias", `"${bias}"`, '"none" is');
  const start = fields.value("init_lora_weights");
  if (typeof start === "string" && CHANGES_BASE.test(start)) {
    throw unsupportedAdapter(
      fields.where,
      "init_lora_weights",
      `"${start}"`,
      "a way that leaves the base's weights as they are is",
    );
  }
}

function readTargets(fields: ConfigFields): LinearModule[] {
  const names = fields.value("target_modules");
  if (!Array.isArray(names) || names.length === 0) {
    throw unsupportedAdapter(fields.where, "target_modules", JSON.stringify(names) ?? "missing", "a list of names is");
  }
  const strange = names.find((name) => !LINEAR_MODULES.some((known) => known === name));
  if (strange !== undefined) {
    throw unsupportedAdapter(
      fields.where,
      "target_modules",
      JSON.stringify(strange),
      `${LINEAR_MODULES.join(", ")} are`,
    );
  }
  // PEFT keeps them as a set, in no order.
  return LINEAR_MODULES.filter((module) => names.includes(module));
}

function unsupportedAdapter(where: string, key: string, value: string, supported: string): PairwrightError {
  return usageError({
    code: "unsupported_adapter",
    where,
    what: `${key} is ${value}; ${supported} supported`,
    fix: "merge the adapter into its base with PEFT, and use the merged model",
  });
}
