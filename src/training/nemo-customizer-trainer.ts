import { z } from "zod";
import type { Component } from "../registry/registry.ts";
import type { Trainer } from "../registry/training.ts";

/** The options of `nemo_customizer_trainer`: the seeds' fields and defaults. */
export const NemoCustomizerTrainerOptions = z.strictObject({
  num_runs: z.int().positive().default(1).describe("how many times the whole data set is run to collect pairs"),
  continue_on_collection_error: z.boolean().default(false).describe("go on with the next run when one fails"),
  deduplicate_pairs: z.boolean().default(true).describe("of equal prompt, chosen and rejected, keep the first pair"),
  max_pairs: z.int().positive().nullable().default(null).describe("a seeded sample of at most this many pairs"),
  wait_for_completion: z.boolean().default(true).describe("false: submit the training job and return"),
});
export type NemoCustomizerTrainerOptions = z.output<typeof NemoCustomizerTrainerOptions>;

/** How much is collected, and whether the training is waited for. */
export function nemoCustomizerTrainer(options: NemoCustomizerTrainerOptions): Trainer {
  const { wait_for_completion, ...collection } = options;
  return { collection, wait_for_completion };
}

/** `nemo_customizer_trainer` as it stands in the table of components. */
export const nemoCustomizerTrainerComponent: Component<"trainer", typeof NemoCustomizerTrainerOptions> = {
  description: "collects preference pairs in one or several runs of the data set, then trains on them",
  options: NemoCustomizerTrainerOptions,
  build: ({ options }) => nemoCustomizerTrainer(options),
};
