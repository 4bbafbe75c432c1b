import type { ModelConfig } from "../model/model-config.ts";
import { hasBias, type LinearModule, linearName, type Parameters } from "../model/parameters.ts";
import { type Blocks, quantizeBlocks } from "./quantize-blocks.ts";
import { widenHeads } from "./wide-heads.ts";

/**
 * How the weights of the linear layers are kept while text is generated: as they are, or as blocks of 32 whole numbers of
 * 8 or 4 bits with one scale; activations are then rounded to 8 bits in blocks, too. With int4 the output head has 8 bits:
 * it is where rounding shows most. Measured on SmolLM2-135M-Instruct, 71 tokens of text: the log-probability of a token
 * moves by 0.08 with int8 (at most 0.47; the mean by -0.001), and by 0.60 with int4 (at most 2.3; the mean by -0.14). Of
 * the 0.08, 0.04 come from the weights and the rest from activations.
 */
export const WEIGHT_FORMATS = ["f32", "int8", "int4"] as const;
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];

/** A linear layer as the decode graph takes it: row-major [rows, columns] = [out, in]. */
export interface ServedLinear {
  rows: number;
  columns: number;
  weight: Float32Array | Blocks;
  bias: Float32Array | undefined;
}

export interface ServedLayer {
  input_norm: Float32Array;
  /** q, k and v in one. */
  qkv: ServedLinear;
  o: ServedLinear;
  post_attention_norm: Float32Array;
  gate: ServedLinear;
  up: ServedLinear;
  down: ServedLinear;
}

export interface ServedModel {
  embedding: Float32Array;
  layers: ServedLayer[];
  norm: Float32Array;
  /** Undefined where the embedding is the head, too. */
  head: ServedLinear | undefined;
}

/** The weights of a model in the form that generation wants them. Those that are not changed are not copied. */
export function servedModel(config: ModelConfig, given: Parameters, format: WeightFormat): ServedModel {
  const parameters = widenHeads(config, given);
  const of = (name: string) => numbers(parameters, name);
  const linear = (layer: number, modules: readonly LinearModule[]) =>
    inFormat(packed(config, parameters, layer, modules), format);
  const embedding = of("model.embed_tokens.weight");
  return {
    embedding,
    norm: of("model.norm.weight"),
    layers: Array.from({ length: config.num_hidden_layers }, (_, layer) => ({
      input_norm: of(`model.layers.${layer}.input_layernorm.weight`),
      qkv: linear(layer, ["q_proj", "k_proj", "v_proj"]),
      o: linear(layer, ["o_proj"]),
      post_attention_norm: of(`model.layers.${layer}.post_attention_layernorm.weight`),
      gate: linear(layer, ["gate_proj"]),
      up: linear(layer, ["up_proj"]),
      down: linear(layer, ["down_proj"]),
    })),
    head: outputHead(config, config.tie_word_embeddings ? embedding : of("lm_head.weight"), format),
  };
}

function outputHead(config: ModelConfig, weight: Float32Array, format: WeightFormat): ServedLinear | undefined {
  if (format === "f32" && config.tie_word_embeddings) return undefined;
  const head = { rows: config.vocab_size, columns: config.hidden_size, weight, bias: undefined };
  return inFormat(head, format === "f32" ? "f32" : "int8");
}

type PlainLinear = ServedLinear & { weight: Float32Array };

/** Linear layers over the same input as one: their outputs one after another. */
function packed(
  config: ModelConfig,
  parameters: Parameters,
  layer: number,
  modules: readonly LinearModule[],
): PlainLinear {
  const names = modules.map((module) => linearName(layer, module));
  const weights = names.map((name) => numbers(parameters, `${name}.weight`));
  const columns = parameters.get(`${names[0]}.weight`)?.shape[1] ?? config.hidden_size;
  const biased = modules.some((module) => hasBias(config, module));
  return {
    rows: weights.reduce((sum, { length }) => sum + length / columns, 0),
    columns,
    weight: joined(weights),
    bias: biased ? joined(names.map((name) => numbers(parameters, `${name}.bias`))) : undefined,
  };
}

function inFormat(linear: PlainLinear, format: WeightFormat): ServedLinear {
  if (format === "f32") return linear;
  const { weight, rows, columns } = linear;
  return { ...linear, weight: quantizeBlocks(weight, rows, columns, format === "int8" ? 8 : 4) };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function numbers(parameters: Parameters, name: string): Float32Array {
  const tensor = parameters.get(name);
  if (tensor === undefined) throw new RangeError(`the model has no weight ${name}`);
  return tensor.data;
}
