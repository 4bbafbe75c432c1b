import type { RoundRecord } from "./loop-record.ts";

/** Rewards of a policy that has not moved are of this size or less: policy and reference are summed in another order. */
const NOISE = 5e-4;

/**
 * What to say of a round whose training made the chosen replies less likely than the reference model finds them, though the
 * loss fell (likelihood displacement, Razin et al. 2024). Undefined of any other.
 */
export function displacementOf({ chosen_reward }: Pick<RoundRecord, "chosen_reward">): string | undefined {
  if (chosen_reward === null || chosen_reward >= -NOISE) return undefined;
  return `likelihood displacement: chosen replies are less likely now than under the reference (${chosen_reward.toFixed(3)})`;
}
