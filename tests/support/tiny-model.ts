import type { ModelConfig } from "../../src/engine/model/model-config.ts";
import { parameterShapes, sizeOf, type Tensor } from "../../src/engine/model/parameters.ts";
import { seededRandom } from "../../src/lib/random.ts";

/** A Llama of two layers, small enough to read by eye; every size is another number. */
export function tinyConfig(changes: Partial<ModelConfig> = {}): ModelConfig {
  return {
    model_type: "llama",
    vocab_size: 24,
    hidden_size: 16,
    intermediate_size: 20,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 4,
    max_position_embeddings: 64,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    rope_scaling: null,
    attention_bias: "none",
    tie_word_embeddings: true,
    ...changes,
  };
}

/** Weights between -0.5 and 0.5 of every shape that the model needs. */
export function randomParameters(config: ModelConfig, seed = 1): Map<string, Tensor> {
  return randomTensors(parameterShapes(config), seed);
}

export function randomTensors(shapes: ReadonlyMap<string, readonly number[]>, seed = 1): Map<string, Tensor> {
  const random = seededRandom(seed);
  const entries = [...shapes].map(([name, shape]): [string, Tensor] => [
    name,
    { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => random() - 0.5) },
  ]);
  return new Map(entries);
}
