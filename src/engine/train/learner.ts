import type { Recompute } from "../model/forward.ts";
import type { ModelConfig } from "../model/model-config.ts";
import type { Parameters } from "../model/parameters.ts";
import { updateWeights } from "./adamw.ts";
import { batchLoss, type LossReport } from "./batch-loss.ts";
import { type Lanes, laneRows, lanesFor, openLanes } from "./lanes.ts";
import { type MicroBatch, makeMicroBatch } from "./micro-batch.ts";
import { nonFinite } from "./non-finite.ts";
import { createParameterStore, type ParameterStore } from "./parameter-store.ts";
import { type Batch, planLanes } from "./plan-batch.ts";
import { sequenceSums, shapesOf } from "./sequence-scorer.ts";
import type { TrainingData } from "./training-data.ts";
import { averages, preferenceOf, type TrainingOptions } from "./training-options.ts";
import { headsOf } from "./tree-layout.ts";

export interface LearnerSettings {
  config: ModelConfig;
  /** Every weight of the model as it starts; those that are trained are copied. */
  weights: Parameters;
  /** Adapters to train instead of the weights themselves. */
  adapter?: { weights: Parameters; scale: number } | undefined;
  data: TrainingData;
  /** The reference model's summed log-probability of each sequence; null without a preference term. */
  reference: Float64Array | null;
  options: TrainingOptions;
  max_length: number;
  chunks: number;
  recompute: Recompute;
  threads: number;
}

export interface StepReport extends LossReport {
  /** Before clipping. */
  grad_norm: number;
  learning_rate: number;
  /** Tokens of all rows' prompts and replies, as a trainer that computes each row apart counts them, without padding. */
  tokens: number;
}

/** Learns one batch at a time. */
export interface Learner {
  readonly store: ParameterStore;
  /**
   * One optimiser step; `step` counts from 1, `earlier` are steps of an optimiser that was handed on. Fails, weights
   * untouched, when loss or gradient is not finite.
   */
  learn(batch: Batch, step: number, learning_rate: number, earlier?: number): Promise<StepReport>;
  release(): Promise<void>;
}

export async function openLearner(settings: LearnerSettings): Promise<Learner> {
  const { config, weights, adapter, data, options, chunks, recompute, threads, max_length } = settings;
  const store = createParameterStore(adapter?.weights ?? weights);
  const optimiser = {
    beta1: options.adam_beta1,
    beta2: options.adam_beta2,
    epsilon: options.adam_epsilon,
    weight_decay: options.weight_decay,
  };
  const lanes = await openLanes(store, {
    graph: {
      config,
      trainable: shapesOf(adapter?.weights ?? weights),
      ...(adapter && { adapter_scale: adapter.scale }),
      preference: preferenceOf(options),
      chunks,
      recompute,
      max_length,
    },
    frozen: adapter ? weights : new Map(),
    threads,
  });

  return {
    store,
    async learn(batch, step, learning_rate, earlier = 0) {
      const { sums, loss } = await accumulate(settings, batch, lanes);
      const grad_norm = Math.sqrt(store.kernels.squares(store.gradients));
      if (!Number.isFinite(loss) || !Number.isFinite(grad_norm)) throw nonFinite(data, step, batch, sums, grad_norm);
      const { max_grad_norm } = options;
      // As in PyTorch: a little is added so that a norm of zero divides nothing.
      const scale = max_grad_norm === null ? 1 : Math.min(1, max_grad_norm / (grad_norm + 1e-6));
      updateWeights(store, optimiser, { step: earlier + step, learning_rate, scale });
      return { ...batchLoss(settings, batch, sums), grad_norm, learning_rate };
    },
    release: () => lanes.release(),
  };
}

/** Sums the gradients of a batch's pieces, and gives the policy's log-probability of each of its sequences. */
async function accumulate(
  { config, data, reference, options, chunks }: LearnerSettings,
  batch: Batch,
  lanes: Lanes,
): Promise<{ sums: Map<number, number>; loss: number }> {
  const { preference_loss_weight: preference_weight } = options.dpo;
  const settings = {
    ...{ chunks, heads: headsOf(config), least: laneRows(config), average: averages(options) },
    ...{ preference_weight, reference },
  };
  const plans = planLanes(data, batch, lanesFor(config), {
    max_tokens: options.max_tokens_per_micro_batch,
    hidden_size: config.hidden_size,
  });
  const made: MicroBatch[][] = [];
  const makers = plans.map((lane, index) => () => {
    made[index] = lane.map((plan) => makeMicroBatch(data, plan, settings));
    return made[index];
  });
  const results = (await lanes.run(makers)).flat();
  const sums = new Map<number, number>();
  let loss = 0;
  for (const [index, micro_batch] of made.flat().entries()) {
    const { loss: part = Number.NaN, token_log_probabilities = new Float32Array() } = results[index] ?? {};
    loss += part;
    for (const [sequence, sum] of sequenceSums(micro_batch, token_log_probabilities)) sums.set(sequence, sum);
  }
  return { sums, loss };
}
