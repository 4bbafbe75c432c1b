import type { DatasetFormat } from "../../registry/training.ts";
import { nemoCustomizer } from "./nemo-customizer.ts";
import { nemoRlBinary } from "./nemo-rl-binary.ts";

/** Our own formats by name, in the order in which they are asked whose a row is; with what `info components` says. */
export const BUILTIN_FORMATS: Readonly<Record<string, { description: string; format: DatasetFormat }>> = {
  "nemo-customizer": {
    description: "rows for NeMo Customizer: prompt, chosen_response, rejected_response",
    format: nemoCustomizer,
  },
  "nemo-rl-binary": {
    description:
      "rows for NeMo RL's BinaryPreferenceDataset, as NeMo Gym's tutorial has them: prompt, chosen, rejected, rewards",
    format: nemoRlBinary,
  },
};
