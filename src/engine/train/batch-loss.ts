import type { Batch } from "./plan-batch.ts";
import { type PreferenceMetrics, pairLoss, preferenceMetrics, type ScoredPair } from "./preference-metrics.ts";
import { lengthOf, sequenceAt, type TrainingData } from "./training-data.ts";
import { averages, preferenceSettings, type TrainingOptions } from "./training-options.ts";

/** What a batch cost, under TRL's names where it has them. */
export interface LossReport extends Partial<PreferenceMetrics> {
  loss: number;
  /** The two terms of a DPO loss, without their weights; absent where there is none. */
  preference_loss?: number;
  sft_loss?: number;
  tokens: number;
}

export interface LossSettings {
  data: TrainingData;
  reference: Float64Array | null;
  options: TrainingOptions;
}

/** The loss of a batch and what stands beside it, in float64, from the policy's log-probability of each sequence. */
export function batchLoss(
  { data, reference, options }: LossSettings,
  { pairs, likelihood }: Batch,
  sums: ReadonlyMap<number, number>,
): LossReport {
  const { dpo, training_type } = options;
  const scored = pairs.map(
    (pair): ScoredPair => ({
      chosen: sums.get(pair.chosen) ?? Number.NaN,
      rejected: sums.get(pair.rejected) ?? Number.NaN,
      reference_chosen: reference?.[pair.chosen] ?? 0,
      reference_rejected: reference?.[pair.rejected] ?? 0,
      chosen_length: sequenceAt(data, pair.chosen).completion.length,
      rejected_length: sequenceAt(data, pair.rejected).completion.length,
      weight: pair.weight,
    }),
  );
  const settings = { ...preferenceSettings(options), average: averages(options) };
  const preference = total(scored.map((pair) => pair.weight * pairLoss(pair, settings)));
  const likelihoods = -total([...likelihood].map(([sequence, weight]) => weight * (sums.get(sequence) ?? Number.NaN)));
  const rows =
    training_type === "dpo" ? pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]) : likelihood.keys();
  return {
    loss: dpo.preference_loss_weight * preference + likelihoods,
    ...(training_type === "dpo" && {
      preference_loss: preference,
      ...(dpo.sft_loss_weight > 0 && { sft_loss: likelihoods / dpo.sft_loss_weight }),
      ...preferenceMetrics(scored, settings.beta),
    }),
    tokens: total([...rows].map((sequence) => lengthOf(data, sequence))),
  };
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
