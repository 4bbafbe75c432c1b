import { z } from "zod";
import { EvaluatorSummary } from "./score.ts";
import { Usage } from "./usage.ts";

const Counts = z.record(z.string(), z.number());

/**
 * What hangs on the verdict. `off`: nothing. `on`: the model takes the configured deployment only where it is found better.
 * `exit`: and the command ends with 100 where it is not.
 */
export const Gate = z.enum(["off", "on", "exit"]);
export type Gate = z.infer<typeof Gate>;

/** `manifest.json` of a run folder: what was asked, what came out, and why anything is missing. */
export const RunManifest = z.strictObject({
  run_id: z.string(),
  command: z.string(),
  status: z.enum(["running", "interrupted", "completed"]),
  pairwright_version: z.string(),
  node_version: z.string(),
  started_at: z.string(),
  finished_at: z.string().optional(),
  seed: z.int(),
  reps: z.int().positive(),
  policy_only: z.boolean(),
  /** Flags that decide what a record holds: where the workflow ran, which part of its result was kept. */
  options: z.record(z.string(), z.union([z.string(), z.boolean()])).default({}),
  shard: z.strictObject({ index: z.int().positive(), of: z.int().positive() }).optional(),
  /** Of several rounds in one output folder: which. */
  round: z.int().positive().optional(),
  /** How a trained model is judged: settled before anything is collected. */
  plan: z
    .strictObject({
      metric: z.string(),
      criteria: z.strictObject({ min_gain: z.number(), confidence: z.number(), min_n: z.int() }),
      llm: z.string(),
      held_out: z.strictObject({ examples: z.int().nonnegative(), sha256: z.string() }),
      gate: Gate.optional(),
    })
    .optional(),
  /** SHA-256 of what went in, by name: config, dataset, plugins. */
  inputs: z.record(z.string(), z.string()),
  /** SHA-256 of what came out, by file name. */
  outputs: z.record(z.string(), z.string()),
  asked: z.strictObject({ examples: z.int().nonnegative() }),
  got: z.strictObject({ completed: z.int().nonnegative(), failed: z.int().nonnegative() }),
  /** Why an example has no run, a turn no pair, a pair no row: reason -> how many. */
  missing: Counts,
  counts: Counts,
  /** Seconds of each stage of a finetune, in the process that ended it. */
  timing: Counts.optional(),
  scores: z.record(z.string(), EvaluatorSummary).optional(),
  usage: Usage.optional(),
  /** What a provider cannot promise, and other things a reader should know. */
  notes: z.array(z.string()),
});
export type RunManifest = z.infer<typeof RunManifest>;
