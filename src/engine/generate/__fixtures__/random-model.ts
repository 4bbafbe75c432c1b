import { seededRandom } from "../../../lib/random.ts";
import type { ModelConfig } from "../../model/model-config.ts";
import { type Parameters, parameterShapes, sizeOf, type Tensor } from "../../model/parameters.ts";

/** A small shape; what a test is about goes in `changes`. */
export function smallConfig(changes: Partial<ModelConfig> = {}): ModelConfig {
  return {
    model_type: "llama",
    vocab_size: 41,
    hidden_size: 24,
    intermediate_size: 40,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 8,
    max_position_embeddings: 64,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    rope_scaling: null,
    attention_bias: "none",
    tie_word_embeddings: true,
    ...changes,
  };
}

/** Weights large enough that the model is sure of some things and not of others. */
export function randomParameters(config: ModelConfig, seed: number, scale = 0.6): Parameters {
  const random = seededRandom(seed);
  const tensors = new Map<string, Tensor>();
  for (const [name, shape] of parameterShapes(config)) {
    const centre = name.includes("norm") ? 1 : 0;
    const data = Float32Array.from({ length: sizeOf(shape) }, () => centre + scale * (2 * random() - 1));
    tensors.set(name, { shape, data });
  }
  return tensors;
}
