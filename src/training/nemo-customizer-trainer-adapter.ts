import type { Clock } from "../lib/clock.ts";
import type { Component } from "../registry/registry.ts";
import type { TrainerAdapter } from "../registry/training.ts";
import { nemoCustomizerBackend } from "./nemo-customizer-backend.ts";
import { NemoCustomizerTrainerAdapterOptions } from "./nemo-customizer-options.ts";

export interface AdapterSurroundings {
  /** Holds NGC_API_KEY and HF_TOKEN, where they are set. */
  env: Record<string, string | undefined>;
  clock: Clock;
  /** How long one request may take; a minute unless told. */
  timeout_ms?: number;
}

/** How rows are written for NeMo Customizer, and NeMo Microservices as the place where they become a model. */
export function nemoCustomizerTrainerAdapter(
  options: NemoCustomizerTrainerAdapterOptions,
  surroundings: AdapterSurroundings,
): TrainerAdapter {
  const { use_full_message_history, hyperparameters, dataset_output_dir } = options;
  return {
    dataset: {
      format: "nemo-customizer",
      use_full_message_history,
      training_type: hyperparameters.training_type,
      dataset_output_dir,
    },
    connect: () => nemoCustomizerBackend(options, surroundings),
  };
}

/** `nemo_customizer_trainer_adapter` as it stands in the table of components. */
export function nemoCustomizerTrainerAdapterComponent(
  surroundings: AdapterSurroundings,
): Component<"trainer_adapter", typeof NemoCustomizerTrainerAdapterOptions> {
  return {
    description:
      "uploads the data set to NeMo Microservices, trains with NeMo Customizer, and deploys what comes of it",
    options: NemoCustomizerTrainerAdapterOptions,
    build: ({ options }) => nemoCustomizerTrainerAdapter(options, surroundings),
  };
}
