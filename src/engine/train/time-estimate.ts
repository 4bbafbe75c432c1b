import type { Recompute } from "../model/forward.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { parameterCount } from "../model/parameters.ts";
import { stepsPerEpoch, unitsOf } from "./batches.ts";
import { treeLength } from "./micro-batch.ts";
import { sequenceAt, type TrainingData } from "./training-data.ts";
import type { TrainingOptions } from "./training-options.ts";

/** Measured on models of 0.8 to 135 million weights: what of the matrix products' speed is left for a whole step. */
const SHARE = 0.6;
/** What a step takes in addition, however small the model. */
const STEP_SECONDS = 0.004;

export interface TimeFacts {
  config: ModelConfig;
  data: TrainingData;
  options: TrainingOptions;
  recompute: Recompute;
  steps: number;
  /** Floating-point operations a second of a matrix product. */
  rate: number;
}

/**
 * Seconds that training will take, about: two operations a weight and token forward, four backward (two where weights stay
 * as they are), two more where all activations are made again. Pairs of a prompt count its tokens once a step.
 */
export function estimateSeconds({ config, data, options, recompute, steps, rate }: TimeFacts): number {
  const weights = parameterCount(config);
  const per_weight = 2 + (options.finetuning_type === "lora" ? 2 : 4) + (recompute === "all" ? 2 : 0);
  const epochs = steps / stepsPerEpoch(unitsOf(data, options).length, options);
  const flops = per_weight * weights * tokensPerEpoch(data) * epochs;
  return flops / (SHARE * rate) + steps * STEP_SECONDS;
}

/** As if no two pairs of a step shared their prompt. */
function tokensPerEpoch(data: TrainingData): number {
  const trees = [
    ...data.pairs.map(({ chosen, rejected }) => [chosen, rejected]),
    ...data.targets.map(({ sequence }) => [sequence]),
  ];
  return trees.reduce((sum, sequences) => {
    const { prompt } = sequenceAt(data, sequences[0] ?? 0);
    return sum + treeLength(data, { prompt, sequences });
  }, 0);
}

/** `40 s`, `3 min`, `2.5 h` */
export function about(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
