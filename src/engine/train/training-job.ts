import { z } from "zod";
import { DTYPES } from "../weights/dtype.ts";
import { TrainingOptions } from "./training-options.ts";

/** One training job, from folder to folder: what a process of its own is started with. */
export const TrainingJob = z.strictObject({
  /** A Hugging Face folder: what training starts from. */
  model: z.string(),
  /** A data-set file, or a folder with `training_file.jsonl` and `validation_file.jsonl`. */
  dataset: z.string(),
  /** The folder that the trained model is written to; it appears when it is whole. */
  output: z.string(),
  /** Whether an output folder that is there is replaced. */
  overwrite: z.boolean().default(false),
  /** Another model than `model` to compare with; null: `model` itself. */
  reference_model: z.string().nullable().default(null),
  /** The output folder of an earlier job whose optimiser goes on; null: it starts anew. */
  optimizer_from: z.string().nullable().default(null),
  /** Write the optimiser's state beside the model, for a later job. */
  save_optimizer: z.boolean().default(false),
  /** How the trained weights are written. */
  dtype: z.enum(DTYPES).default("F32"),
  /** Go on from the newest checkpoint, where there is one. */
  resume: z.boolean().default(false),
  threads: z.int().positive(),
  options: TrainingOptions,
});
export type TrainingJob = z.output<typeof TrainingJob>;

/** What a job tells while it runs. */
export type TrainingEvent =
  | { event: "stage"; stage: "reading" | "estimate" | "reference" | "training" | "writing"; detail: string }
  | { event: "warning"; message: string }
  | { event: "record"; record: Record<string, number>; steps: number };

export interface TrainingResult {
  model: string;
  ended: "finished" | "stopped_early";
  steps: number;
  loss: { first: number; last: number };
  validation_loss: number | null;
  /** Tokens of prompts and replies, as a trainer that computes each row apart counts them, by the time of the steps. */
  tokens_per_s: number;
  seconds: number;
  rows: number;
  /** Rows that were not trained on, by reason. */
  skipped: Record<string, number>;
  /** Of the last step, under TRL's names; empty where a job that had done all its steps was gone on with. */
  metrics: Record<string, number>;
}
