import { product } from "../graph/dimensions.ts";
import type { Value } from "../graph/graph.ts";
import { add, mul, neg, reduceSum, relu, reshape, softplus, sub } from "../graph/ops/basic.ts";
import { gemm } from "../graph/ops/matmul.ts";

export const LOSS_TYPES = ["sigmoid", "ipo", "hinge", "robust"] as const;
export type LossType = (typeof LOSS_TYPES)[number];

/** What decides the preference term of a loss. */
export interface PreferenceSettings {
  loss_type: LossType;
  /** How strongly the policy is held near the reference. */
  beta: number;
  /** The share of pairs that are taken to be the wrong way round; `robust` only. */
  label_smoothing: number;
}

/** Over C sequences with N wanted tokens, and P pairs of them. */
export interface PreferenceInputs {
  /** Log-probabilities of the wanted tokens, [N]. */
  token_log_probabilities: Value;
  /** [C, N]: the weight of a token in its sequence's log-probability (1, or 1 / length for averages), 0 elsewhere. */
  sums: Value;
  /** The reference model's log-probability of each sequence, summed or averaged in the same way, [C, 1]. */
  reference: Value;
  /** [P, C]: 1 at the chosen sequence of a pair, -1 at the rejected one. */
  pairs: Value;
  /** The weight of each pair in the loss, [P, 1]. */
  pair_weights: Value;
}

/** The weighted sum of the pairs' losses, a scalar. */
export function preferenceLoss(inputs: PreferenceInputs, settings: PreferenceSettings): Value {
  const { token_log_probabilities, sums, reference, pairs, pair_weights } = inputs;
  const column = reshape(token_log_probabilities, [product(...token_log_probabilities.shape), 1]);
  const difference = gemm(pairs, sub(gemm(sums, column), reference));
  return reduceSum(mul(pairLosses(difference, settings), pair_weights));
}

/**
 * Of D = (chosen - rejected) of log(policy / reference): sigmoid -log s(beta D) (Rafailov et al. 2023), hinge
 * max(0, 1 - beta D) (Zhao et al. 2023), ipo (D - 1 / (2 beta))^2 over averages (Azar et al. 2023, as TRL has it), robust
 * ((1 - e) sigmoid(D) - e sigmoid(-D)) / (1 - 2 e) (Chowdhury et al. 2024). `preference-metrics.ts` has the same in numbers.
 */
function pairLosses(difference: Value, { loss_type, beta, label_smoothing }: PreferenceSettings): Value {
  const margin = mul(difference, beta);
  switch (loss_type) {
    case "sigmoid":
      return softplus(neg(margin));
    case "hinge":
      return relu(add(neg(margin), 1));
    case "ipo": {
      const off = add(difference, -1 / (2 * beta));
      return mul(off, off);
    }
    case "robust": {
      const right = mul(softplus(neg(margin)), (1 - label_smoothing) / (1 - 2 * label_smoothing));
      return sub(right, mul(softplus(margin), label_smoothing / (1 - 2 * label_smoothing)));
    }
    default:
      return loss_type satisfies never;
  }
}
