import { usageError } from "../../lib/errors.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { architectureOf } from "../model/read-config.ts";
import type { Dtype } from "./dtype.ts";

const TORCH_DTYPES: Record<Dtype, string> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** Said anew below, in one spelling; or true of the weights' source only. */
const REPLACED = ["rope_parameters", "dtype", "quantization_config", "_name_or_path", "_model_name_or_path"];

/**
 * A config.json that transformers 4 and 5 load as this model. What `raw_config` says beside (token ids, initial scale,
 * dropout) is kept; rotary positions are written the older way, `rope_theta` and `rope_scaling`, which both versions
 * read.
 */
export function configJson(
  config: ModelConfig,
  { dtype, raw_config = {} }: { dtype: Dtype; raw_config?: Record<string, unknown> },
): Record<string, unknown> {
  const kept = Object.fromEntries(Object.entries(raw_config).filter(([key]) => !REPLACED.includes(key)));
  const { attention_bias, ...rest } = config;
  return {
    ...kept,
    architectures: [architectureOf(config.model_type)],
    ...rest,
    ...biasKeys(config),
    ...(config.model_type === "llama" ? {} : { sliding_window: null, use_sliding_window: false }),
    hidden_act: "silu",
    torch_dtype: TORCH_DTYPES[dtype],
  };
}

/** The text of the file. transformers 4 warns where a factor is written as a whole number. */
export function configText(config: Record<string, unknown>): string {
  const text = JSON.stringify(config, null, 2);
  return `${text.replace(/("(?:\w+_)?(?:factor|theta)": \d+)(?=,?\n)/g, "$1.0")}\n`;
}

function biasKeys({ model_type, attention_bias }: ModelConfig): Record<string, unknown> {
  const written = { llama: ["none", "qkvo"], qwen2: ["qkv"], mistral: ["none"] }[model_type];
  if (!written.includes(attention_bias)) {
    throw usageError({
      code: "unsupported_model",
      where: "config.json",
      what: `transformers has no ${model_type} model whose attention bias is "${attention_bias}"`,
      fix: `a ${model_type} model has ${written.join(" or ")}`,
    });
  }
  return model_type === "llama" ? { attention_bias: attention_bias === "qkvo", mlp_bias: false } : {};
}
