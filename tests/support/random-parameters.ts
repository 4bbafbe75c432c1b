import type { ModelConfig } from "../../src/engine/model/model-config.ts";
import { parameterShapes, sizeOf, type Tensor } from "../../src/engine/model/parameters.ts";
import { seededRandom } from "../../src/lib/random.ts";

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
