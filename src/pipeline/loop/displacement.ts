import type { Rounds } from "../../config/schema.ts";
import type { RoundRecord } from "./loop-record.ts";

/**
 * What to say of a round whose training made the chosen replies less likely than the reference model finds them, though the
 * loss fell (likelihood displacement, Razin et al. 2024). Undefined of any other.
 */
export function displacementOf(
  { chosen_reward }: Pick<RoundRecord, "chosen_reward">,
  { at_least }: Rounds["displacement"],
): string | undefined {
  if (chosen_reward === null || chosen_reward >= at_least) return undefined;
  return `likelihood displacement: the reward of the chosen replies is ${chosen_reward.toFixed(4)}, below ${at_least}`;
}
