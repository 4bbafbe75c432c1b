import type { RolloutReader } from "../../../registry/training.ts";
import { nemoGym } from "./nemo-gym.ts";

/** Our own readers by name, in the order in which they are asked whose a file is; with what `info components` says. */
export const BUILTIN_READERS: Readonly<Record<string, { description: string; reader: RolloutReader }>> = {
  "nemo-gym": { description: "rollouts of NeMo Gym", reader: nemoGym },
};
