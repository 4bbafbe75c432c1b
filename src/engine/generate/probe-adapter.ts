import { type LoraAdapter, loraShapes } from "../model/lora.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { LINEAR_MODULES, sizeOf } from "../model/parameters.ts";

/** An adapter on every layer that is none in particular, to try how a machine computes. */
export function probeAdapter(config: ModelConfig): LoraAdapter {
  const shape = { rank: 16, target_modules: [...LINEAR_MODULES] };
  const tensors = new Map(
    [...loraShapes(config, shape)].map(([name, sizes]) => {
      const data = Float32Array.from({ length: sizeOf(sizes) }, (_, at) => ((at * 7919) % 101) / 1000 - 0.05);
      return [name, { shape: sizes, data }] as const;
    }),
  );
  return { ...shape, alpha: 16, tensors };
}
