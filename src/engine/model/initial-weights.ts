import { hash31 } from "../../lib/hash.ts";
import { type Random, seededRandom } from "../../lib/random.ts";
import type { ModelConfig } from "./model-config.ts";
import {
  type LinearModule,
  linearName,
  linearShape,
  type Parameters,
  parameterShapes,
  sizeOf,
  type Tensor,
} from "./parameters.ts";

/** Weights of a model that nobody trained yet: norms 1, biases 0, every matrix normal with this standard deviation. */
export function initialWeights(config: ModelConfig, { deviation = 0.02, seed = 0 } = {}): Map<string, Tensor> {
  const weights = new Map<string, Tensor>();
  for (const [name, shape] of parameterShapes(config)) {
    const size = sizeOf(shape);
    const flat = name.endsWith(".bias") ? new Float32Array(size) : new Float32Array(size).fill(1);
    const data = shape.length === 1 ? flat : normalNumbers(size, deviation, seededRandom(hash31(seed, name)));
    weights.set(name, { shape, data });
  }
  return weights;
}

export interface AdapterShape {
  rank: number;
  target_modules: readonly LinearModule[];
}

/**
 * Adapters that change nothing yet: A uniform in +-1/sqrt(in), as PEFT has it (Kaiming with a = sqrt(5)), B zero. By names
 * such as `model.layers.0.self_attn.q_proj.lora_A.weight`.
 */
export function initialAdapter(config: ModelConfig, { rank, target_modules }: AdapterShape, seed = 0): Parameters {
  const weights = new Map<string, Tensor>();
  for (let layer = 0; layer < config.num_hidden_layers; layer += 1) {
    for (const module of target_modules) {
      const [out, into] = linearShape(config, module);
      const name = linearName(layer, module);
      const random = seededRandom(hash31(seed, name));
      const bound = 1 / Math.sqrt(into);
      const down = Float32Array.from({ length: rank * into }, () => bound * (2 * random() - 1));
      weights.set(`${name}.lora_A.weight`, { shape: [rank, into], data: down });
      weights.set(`${name}.lora_B.weight`, { shape: [out, rank], data: new Float32Array(out * rank) });
    }
  }
  return weights;
}

/** Numbers of a normal distribution (Box and Muller 1958). */
function normalNumbers(count: number, deviation: number, random: Random): Float32Array {
  const numbers = new Float32Array(count);
  for (let at = 0; at < count; at += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    numbers[at] = radius * Math.cos(angle);
    if (at + 1 < count) numbers[at + 1] = radius * Math.sin(angle);
  }
  return numbers;
}
