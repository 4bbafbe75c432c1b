import type { TrainingRecord } from "./run-training.ts";

/** Steps at the end that are looked at. */
const LAST = 20;
/** Rewards of a policy that has not moved are of this size or less: policy and reference are summed in another order. */
const NOISE = 5e-4;

/**
 * What to say when chosen replies have become less likely than the reference finds them: the loss falls all the same, as
 * long as the rejected ones fall faster, and the probability goes to replies that nobody chose (likelihood displacement,
 * Razin et al. 2024). null when they have not.
 */
export function displacementWarning(records: readonly TrainingRecord[]): string | null {
  const rewards = records
    .flatMap(({ "rewards/chosen": reward }) => (reward === undefined ? [] : [reward]))
    .slice(-LAST);
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
  if (!(mean < -NOISE)) return null;
  return (
    `likelihood displacement: chosen replies are less likely now than under the reference (rewards/chosen ${mean.toFixed(3)} over ` +
    `the last ${rewards.length} steps); a likelihood term (--sft_loss_weight 0.3) or a lower learning rate holds them`
  );
}
