import { hash31 } from "../../lib/hash.ts";
import { seededRandom } from "../../lib/random.ts";
import type { WeightedPair } from "./micro-batch.ts";
import type { Batch } from "./plan-batch.ts";
import { sequenceAt, type TrainingData } from "./training-data.ts";
import type { TrainingOptions } from "./training-options.ts";

type Rows = Pick<TrainingData, "pairs" | "targets">;

/** The rows that a batch counts as one: a row, or all rows of a prompt. */
export function unitsOf(data: TrainingData, { batch_unit, training_type }: Units): Rows[] {
  const rows: Rows[] =
    training_type === "dpo"
      ? data.pairs.map((pair) => ({ pairs: [pair], targets: [] }))
      : data.targets.map((target) => ({ pairs: [], targets: [target] }));
  if (batch_unit === "pair") return rows;
  const by_prompt = new Map<number, Rows>();
  for (const { pairs, targets } of rows) {
    const first = pairs[0]?.chosen ?? targets[0]?.sequence ?? 0;
    const { prompt } = sequenceAt(data, first);
    const unit = by_prompt.get(prompt) ?? { pairs: [], targets: [] };
    unit.pairs.push(...pairs);
    unit.targets.push(...targets);
    by_prompt.set(prompt, unit);
  }
  return [...by_prompt.values()];
}

type Units = Pick<TrainingOptions, "batch_unit" | "training_type">;

/** How many optimiser steps an epoch has. The last batch may be smaller than the others. */
export function stepsPerEpoch(units: number, options: TrainingOptions): number {
  return Math.ceil(units / unitsPerBatch(options));
}

/** The optimiser steps of a whole job. */
export function stepsInAll(units: number, options: TrainingOptions): number {
  return Math.min(stepsPerEpoch(units, options) * options.epochs, options.max_steps ?? Number.POSITIVE_INFINITY);
}

function unitsPerBatch({ batch_size, gradient_accumulation_steps }: TrainingOptions): number {
  return batch_size * gradient_accumulation_steps;
}

/** The units of one step. The order of an epoch follows from seed and epoch alone, so a resumed run goes on with it. */
export function epochOrder(units: number, epoch: number, { seed, shuffle }: TrainingOptions): Uint32Array {
  const order = Uint32Array.from({ length: units }, (_, index) => index);
  if (!shuffle) return order;
  const random = seededRandom(hash31("epoch", seed, epoch));
  for (let last = units - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
  }
  return order;
}

/** The batch of a step within its epoch, with every row's weight in the loss. */
export function batchAt(
  data: TrainingData,
  units: readonly Rows[],
  order: Uint32Array,
  step: number,
  options: TrainingOptions,
): Batch {
  const size = unitsPerBatch(options);
  const chosen = [...order.subarray(step * size, (step + 1) * size)].map((index) => units[index] ?? EMPTY);
  return weighted(data, chosen, options);
}

const EMPTY: Rows = { pairs: [], targets: [] };

/** Gives rows their weights: a DPO loss is a mean over units, and within a unit over its pairs; SFT is a mean over all tokens. */
export function weighted(data: TrainingData, units: readonly Rows[], options: TrainingOptions): Batch {
  return options.training_type === "dpo" ? preferenceBatch(data, units, options) : likelihoodBatch(data, units);
}

function preferenceBatch(data: TrainingData, units: readonly Rows[], { dpo }: TrainingOptions): Batch {
  const average = dpo.sft_average_log_probs ?? dpo.preference_average_log_probs;
  const likelihood = new Map<number, number>();
  const pairs = units.flatMap((unit) =>
    unit.pairs.map(({ chosen, rejected, row }): WeightedPair => {
      const share = 1 / (units.length * unit.pairs.length);
      if (dpo.sft_loss_weight > 0) {
        const tokens = average ? sequenceAt(data, chosen).completion.length : 1;
        likelihood.set(chosen, (likelihood.get(chosen) ?? 0) + (share * dpo.sft_loss_weight) / tokens);
      }
      return { chosen, rejected, row, weight: share };
    }),
  );
  return { pairs, likelihood };
}

/** The mean over all tokens of the batch's replies. */
function likelihoodBatch(data: TrainingData, units: readonly Rows[]): Batch {
  const sequences = units.flatMap(({ targets }) => targets.map(({ sequence }) => sequence));
  const tokens = sequences.reduce((sum, index) => sum + sequenceAt(data, index).completion.length, 0);
  const likelihood = new Map<number, number>();
  for (const sequence of sequences) likelihood.set(sequence, (likelihood.get(sequence) ?? 0) + 1 / tokens);
  return { pairs: [], likelihood };
}
