import { badConfig, type ConfigFields, configFields, isObject, unsupported } from "./config-fields.ts";
import type { AttentionBias, ModelConfig } from "./model-config.ts";
import { readRope } from "./read-config-rope.ts";

type ModelType = ModelConfig["model_type"];

/** What a Hugging Face config of this kind means where it leaves a key out: the defaults of its config class. */
interface Family {
  architecture: string;
  vocab_size: number;
  hidden_size: number;
  intermediate_size: number;
  /** Null: as many as there are attention heads. */
  num_key_value_heads: number | null;
  max_position_embeddings: number;
}

/** The names of a damaged file's billion layers would fill the memory before a tensor is missed. */
const MAX_LAYERS = 10_000;

const LLAMA_DEFAULTS = { vocab_size: 32_000, hidden_size: 4096 };
const FAMILIES: Record<ModelType, Family> = {
  llama: {
    ...LLAMA_DEFAULTS,
    architecture: "LlamaForCausalLM",
    intermediate_size: 11_008,
    num_key_value_heads: null,
    max_position_embeddings: 2048,
  },
  qwen2: {
    architecture: "Qwen2ForCausalLM",
    vocab_size: 151_936,
    hidden_size: 4096,
    intermediate_size: 22_016,
    num_key_value_heads: 32,
    max_position_embeddings: 32_768,
  },
  mistral: {
    ...LLAMA_DEFAULTS,
    architecture: "MistralForCausalLM",
    intermediate_size: 14_336,
    num_key_value_heads: 8,
    max_position_embeddings: 131_072,
  },
};
const MODEL_TYPES: readonly ModelType[] = ["llama", "qwen2", "mistral"];

/**
 * Reads a Hugging Face config.json (parsed; `where` is its path, for errors) with all the defaults of transformers
 * filled in. What the engine does not compute (another architecture or activation, biases in the MLP, a sliding window
 * in effect, another kind of rotary scaling, quantised weights) is one `unsupported_model` error that names the key.
 */
export function readConfig(raw: unknown, where: string): ModelConfig {
  if (!isObject(raw)) throw badConfig(where, "the file holds no JSON object");
  const fields = configFields(raw, where);
  const model_type = readModelType(fields);
  refuseOthers(fields);
  const family = FAMILIES[model_type];
  const hidden_size = fields.count("hidden_size", family.hidden_size);
  const num_hidden_layers = fields.count("num_hidden_layers", 32);
  if (num_hidden_layers > MAX_LAYERS) {
    throw badConfig(where, `num_hidden_layers is ${num_hidden_layers}; no model has more than ${MAX_LAYERS}`);
  }
  const max_position_embeddings = fields.count("max_position_embeddings", family.max_position_embeddings);
  refuseSlidingWindow(fields, { model_type, num_hidden_layers, max_position_embeddings });
  return {
    model_type,
    vocab_size: fields.count("vocab_size", family.vocab_size),
    hidden_size,
    intermediate_size: fields.count("intermediate_size", family.intermediate_size),
    num_hidden_layers,
    ...readHeads(fields, hidden_size, family),
    max_position_embeddings,
    rms_norm_eps: fields.positive("rms_norm_eps", 1e-6),
    ...readRope(fields, max_position_embeddings),
    attention_bias: readAttentionBias(fields, model_type),
    tie_word_embeddings: fields.flag("tie_word_embeddings", false),
  };
}

/** The class that transformers loads a model of this kind with. */
export function architectureOf(model_type: ModelType): string {
  return FAMILIES[model_type].architecture;
}

function readModelType(fields: ConfigFields): ModelType {
  const supported = `${MODEL_TYPES.map(architectureOf).join(", ")} are`;
  const architectures = fields.list("architectures");
  const type = fields.text("model_type", null);
  const named = architectures?.[0];
  if (named === undefined && type === null) throw badConfig(fields.where, "architectures and model_type are missing");

  const found = MODEL_TYPES.find((name) => (named === undefined ? name === type : architectureOf(name) === named));
  if (found === undefined) {
    const [key, value] = named === undefined ? ["model_type", type] : ["architectures", architectures];
    throw unsupported(fields.where, key, JSON.stringify(value), supported);
  }
  if (type !== null && type !== found) {
    throw badConfig(fields.where, `architectures is ${JSON.stringify(architectures)}, but model_type is "${type}"`);
  }
  return found;
}

function refuseOthers(fields: ConfigFields): void {
  const act = fields.text("hidden_act", "silu");
  if (act !== "silu") throw unsupported(fields.where, "hidden_act", `"${act}"`, '"silu" is');
  if (fields.flag("mlp_bias", false)) throw unsupported(fields.where, "mlp_bias", "true", "false is");
  const quantization = fields.object("quantization_config");
  if (quantization !== null) {
    const method = quantization.text("quant_method", "set");
    throw unsupported(fields.where, "quantization_config", method, "only plain F32, F16 and BF16 weights are");
  }
}

function readAttentionBias(fields: ConfigFields, model_type: ModelType): AttentionBias {
  if (model_type === "qwen2") return "qkv";
  // transformers' Mistral has no such switch: it would read the file and add no bias.
  if (model_type === "mistral") return "none";
  return fields.flag("attention_bias", false) ? "qkvo" : "none";
}

function readHeads(fields: ConfigFields, hidden_size: number, family: Family) {
  const num_attention_heads = fields.count("num_attention_heads", 32);
  const num_key_value_heads = fields.count("num_key_value_heads", family.num_key_value_heads ?? num_attention_heads);
  if (num_attention_heads % num_key_value_heads !== 0) {
    throw badConfig(
      fields.where,
      `num_key_value_heads (${num_key_value_heads}) does not divide num_attention_heads (${num_attention_heads})`,
    );
  }
  if (!fields.has("head_dim") && hidden_size % num_attention_heads !== 0) {
    throw badConfig(
      fields.where,
      `num_attention_heads (${num_attention_heads}) does not divide hidden_size (${hidden_size}), and head_dim is missing`,
    );
  }
  const head_dim = fields.count("head_dim", Math.floor(hidden_size / num_attention_heads));
  if (head_dim % 2 !== 0) throw badConfig(fields.where, `head_dim is ${head_dim}; rotary positions need an even one`);
  return { num_attention_heads, num_key_value_heads, head_dim };
}

interface Reach {
  model_type: ModelType;
  num_hidden_layers: number;
  max_position_embeddings: number;
}

/** A window that no text of the model's length outgrows changes nothing; any other one is refused. */
function refuseSlidingWindow(fields: ConfigFields, reach: Reach): void {
  const layers = fields.list("layer_types");
  if (layers?.some((layer) => layer !== "full_attention")) {
    throw unsupported(fields.where, "layer_types", "not full_attention in every layer", "full attention is");
  }
  if (reach.model_type === "llama") return;
  const window = windowOf(fields, reach);
  if (window === null || window >= reach.max_position_embeddings) return;
  throw unsupported(
    fields.where,
    "sliding_window",
    fields.has("sliding_window") ? String(window) : `${window} (its default when it is left out)`,
    "null, or no less than max_position_embeddings, is",
  );
}

function windowOf(fields: ConfigFields, { model_type, num_hidden_layers }: Reach): number | null {
  // Written as null it is switched off; left out it is what the config class says.
  if (fields.value("sliding_window") === null) return null;
  const window = fields.count("sliding_window", 4096);
  if (model_type === "mistral") return window;
  // Qwen2 asks for it with a switch, from one layer on, unless the layers' kinds are told one by one (and refused
  // above).
  if (!fields.flag("use_sliding_window", false) || fields.has("layer_types")) return null;
  const first = fields.value("max_window_layers") === 0 ? 0 : fields.count("max_window_layers", 28);
  return first < num_hidden_layers ? window : null;
}
