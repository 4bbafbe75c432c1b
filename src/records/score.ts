import { z } from "zod";
import { ErrorRecord } from "./run.ts";
import { Usage } from "./usage.ts";

/** An evaluator's name. It becomes a file name, `<name>_output.json`, beside `workflow_output.json`. */
export const EvaluatorName = z
  .string()
  .regex(
    /^[A-Za-z0-9][\w .-]{0,99}$/,
    "begins with a letter or digit, then letters, digits, _ . - or blanks; at most 100",
  )
  // Some file systems do not tell upper from lower case.
  .refine((name) => name.toLowerCase() !== "workflow", "is taken: workflow_output.json holds the runs");

/** One line of `scores.jsonl`: what one evaluator thought of one run of one example. */
export const ScoreRecord = z.strictObject({
  evaluator: z.string(),
  example_id: z.string(),
  example_index: z.int().nonnegative(),
  rep: z.int().nonnegative(),
  run_index: z.int().nonnegative(),
  /** null is *not scored*: it counts in no mean. */
  score: z.number().nullable(),
  reasoning: z.unknown().optional(),
  /** Further figures of the same example, by name; null where one does not apply to it. */
  metrics: z.record(z.string(), z.number().nullable()).optional(),
  error: ErrorRecord.optional(),
  /** Of the evaluator's own model calls; absent where it made none. */
  usage: Usage.optional(),
});
export type ScoreRecord = z.infer<typeof ScoreRecord>;

/** A mean over examples with its 95 % confidence interval. */
export const Metric = z.strictObject({
  value: z.number().nullable(),
  n: z.int().nonnegative(),
  /** null when n is too small to say. */
  low: z.number().nullable(),
  high: z.number().nullable(),
});
export type Metric = z.infer<typeof Metric>;

/** What an evaluator found over the whole data set. */
export const EvaluatorSummary = z.strictObject({
  average_score: z.number().nullable(),
  n: z.int().nonnegative(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  /** Examples that could not be scored; they are in no mean. */
  unscored: z.int().nonnegative(),
  metrics: z.record(z.string(), Metric),
});
export type EvaluatorSummary = z.infer<typeof EvaluatorSummary>;
