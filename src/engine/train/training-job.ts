import { availableParallelism } from "node:os";
import { z } from "zod";
import { usageError } from "../../lib/errors.ts";
import { STEADY_THREADS } from "../graph/thread-pieces.ts";
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
  threads: z
    .int()
    .positive()
    .default(() => Math.min(availableParallelism(), STEADY_THREADS)),
  options: TrainingOptions.prefault({}),
});
export type TrainingJob = z.output<typeof TrainingJob>;

/** A job as it is written down: what has a default may be left out. */
export type GivenJob = z.input<typeof TrainingJob>;

/** The job with its defaults. Fails with `bad_job`, naming the key that cannot be used. */
export function checkedJob(given: GivenJob): TrainingJob {
  const parsed = TrainingJob.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw usageError({
    code: "bad_job",
    where: issue?.path.join(".") || "the job",
    what: issue?.message ?? "it cannot be used",
    fix: "see TrainingJob and TrainingOptions for the keys, their types and defaults",
  });
}

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
