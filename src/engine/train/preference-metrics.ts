import type { PreferenceSettings } from "./preference-loss.ts";

/** Log-probabilities of a pair's replies: sums over their tokens, by the policy and by the reference. */
export interface ScoredPair {
  chosen: number;
  rejected: number;
  reference_chosen: number;
  reference_rejected: number;
  chosen_length: number;
  rejected_length: number;
  /** The pair's share in the batch's loss. */
  weight: number;
}

/** What a batch of pairs looked like, under TRL's names. Rewards are beta log(policy / reference). */
export interface PreferenceMetrics {
  "rewards/chosen": number;
  "rewards/rejected": number;
  "rewards/accuracies": number;
  "rewards/margins": number;
  "logps/chosen": number;
  "logps/rejected": number;
}

/** One pair's loss in float64, without its weight: the formulas of `preference-loss.ts` in numbers. */
export function pairLoss(pair: ScoredPair, settings: PreferenceSettings & { average: boolean }): number {
  const { loss_type, beta, label_smoothing: e, average } = settings;
  const chosen = (pair.chosen - pair.reference_chosen) / (average ? pair.chosen_length : 1);
  const rejected = (pair.rejected - pair.reference_rejected) / (average ? pair.rejected_length : 1);
  const difference = chosen - rejected;
  const sigmoid = (margin: number) => Math.max(-margin, 0) + Math.log1p(Math.exp(-Math.abs(margin)));
  switch (loss_type) {
    case "sigmoid":
      return sigmoid(beta * difference);
    case "hinge":
      return Math.max(0, 1 - beta * difference);
    case "ipo":
      return (difference - 1 / (2 * beta)) ** 2;
    case "robust":
      return ((1 - e) * sigmoid(beta * difference) - e * sigmoid(-beta * difference)) / (1 - 2 * e);
    default:
      return loss_type satisfies never;
  }
}

/** Means over a batch's pairs, each with its weight; null when there is no pair. */
export function preferenceMetrics(pairs: readonly ScoredPair[], beta: number): PreferenceMetrics | null {
  const total = pairs.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return null;
  const mean = (of: (pair: ScoredPair) => number) =>
    pairs.reduce((sum, pair) => sum + of(pair) * pair.weight, 0) / total;
  const chosen = (pair: ScoredPair) => beta * (pair.chosen - pair.reference_chosen);
  const rejected = (pair: ScoredPair) => beta * (pair.rejected - pair.reference_rejected);
  return {
    "rewards/chosen": mean(chosen),
    "rewards/rejected": mean(rejected),
    "rewards/accuracies": mean((pair) => (isPreferred(pair) ? 1 : 0)),
    "rewards/margins": mean((pair) => chosen(pair) - rejected(pair)),
    "logps/chosen": mean((pair) => pair.chosen),
    "logps/rejected": mean((pair) => pair.rejected),
  };
}

/**
 * Sums of float32 log-probabilities differ by this share with what stands beside a reply. A policy that is the reference still
 * prefers neither reply.
 */
const ROUNDING = 1e-6;

function isPreferred({ chosen, rejected, reference_chosen, reference_rejected }: ScoredPair): boolean {
  const margin = chosen - reference_chosen - (rejected - reference_rejected);
  return margin > ROUNDING * (Math.abs(chosen) + Math.abs(rejected));
}
