import { llamaConfig } from "../../__fixtures__/llama-config.ts";
import { seededRandom } from "../../../lib/random.ts";
import type { ModelConfig } from "../../model/model-config.ts";
import { type Parameters, parameterShapes, sizeOf, type Tensor } from "../../model/parameters.ts";

/** A small shape; what a test is about goes in `changes`. */
export function smallConfig(changes: Partial<ModelConfig> = {}): ModelConfig {
  return llamaConfig({ vocab_size: 41, hidden_size: 24, intermediate_size: 40, head_dim: 8, ...changes });
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
