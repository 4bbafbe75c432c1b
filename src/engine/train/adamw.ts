import type { ParameterStore } from "./parameter-store.ts";

export interface AdamWSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
  weight_decay: number;
}

export interface AdamWUpdate {
  /** Counts from 1: it is what the moments' bias is corrected by. */
  step: number;
  learning_rate: number;
  /** A factor on each gradient, for clipping. */
  scale: number;
}

/**
 * One step of AdamW (Loshchilov and Hutter 2019) with the gradients of the store, in float32, in place, as PyTorch has it:
 * decay p (1 - lr wd) first, then p - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps).
 */
export function updateWeights(store: ParameterStore, settings: AdamWSettings, update: AdamWUpdate): void {
  const { beta1, beta2, epsilon, weight_decay } = settings;
  const { step, learning_rate, scale } = update;
  const { kernels, values, first_moments, second_moments, gradients, decayed } = store;
  const part = (start: number, end: number, keep: number) => {
    const [p, m, v, g] = [values, first_moments, second_moments, gradients].map((array) => array.subarray(start, end));
    if (p === undefined || m === undefined || v === undefined || g === undefined) return;
    kernels.adamw(
      { p, m, v, g },
      {
        ...{ scale, beta1, beta2, epsilon, keep },
        rate: learning_rate / (1 - beta1 ** step),
        correction: 1 / Math.sqrt(1 - beta2 ** step),
      },
    );
  };
  part(0, decayed, 1 - learning_rate * weight_decay);
  part(decayed, values.length, 1);
}
