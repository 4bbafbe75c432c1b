import type { Component } from "../../registry/registry.ts";
import { NemoRlOptions, TrlOptions } from "./launch-options.ts";

/** `nemo_rl_trainer_adapter`: rows for NeMo RL, and what `launch --on nemo-rl` trains with. */
export const nemoRlTrainerAdapterComponent: Component<"trainer_adapter", typeof NemoRlOptions> = {
  description: "writes the data set for NeMo RL, which `pairwright launch` trains with on this or other machines",
  options: NemoRlOptions,
  build: ({ options }) => datasetOnly(options),
};

/** `trl_trainer_adapter`: rows for TRL, and what `launch --on trl` trains with. */
export const trlTrainerAdapterComponent: Component<"trainer_adapter", typeof TrlOptions> = {
  description: "writes the data set for TRL, which `pairwright launch` trains with on this or other machines",
  options: TrlOptions,
  build: ({ options }) => datasetOnly(options),
};

/** No backend: a launch is a command of its own, and its jobs are not asked about over the network. */
function datasetOnly({ dataset_format, dataset_output_dir }: NemoRlOptions | TrlOptions) {
  return {
    dataset: {
      format: dataset_format,
      use_full_message_history: true,
      training_type: "dpo" as const,
      dataset_output_dir,
    },
  };
}
