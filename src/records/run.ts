import { z } from "zod";
import { IntermediateStep } from "./step.ts";
import { Usage } from "./usage.ts";

/** What went wrong, for programs (`code`) and for people (`message`, cut, without secrets or prompts). */
export const ErrorRecord = z.strictObject({
  code: z.string(),
  message: z.string(),
  /** The code of what lay behind it, where one thing did: `llm_unreachable` behind a failed turn. */
  cause: z.string().optional(),
});
export type ErrorRecord = z.infer<typeof ErrorRecord>;

/** One line of `runs.jsonl`: an example that ended, well or not. The last line of a key (id, rep, run) wins. */
export const RunRecord = z.strictObject({
  example_id: z.string(),
  /** Position in the data set, from 0: what restores its order after concurrency, resumption and shards. */
  example_index: z.int().nonnegative(),
  rep: z.int().nonnegative(),
  run_index: z.int().nonnegative(),
  status: z.enum(["completed", "failed"]),
  /** The seed of the whole run (`--seed`). */
  seed: z.int(),
  /** ISO 8601. */
  started_at: z.string(),
  seconds: z.number(),
  usage: Usage,
  error: ErrorRecord.optional(),
  /** What the workflow was given. */
  input: z.unknown(),
  /** The right answer, where the data set has one. */
  answer: z.unknown().optional(),
  /** What the workflow gave back; null when it failed. */
  output: z.unknown(),
  /** The group of the data-set row, when the split asks for one. */
  group: z.string().optional(),
  steps: z.array(IntermediateStep),
});
export type RunRecord = z.infer<typeof RunRecord>;

/** What names one run of one example. */
export interface RunKey {
  example_id: string;
  rep: number;
  run_index: number;
}

export function runKey({ example_id, rep, run_index }: RunKey): string {
  return `${run_index}/${rep}/${example_id}`;
}

/**
 * A run that was just played: its steps are JSON texts already, made when they happened, so that nothing that changes
 * later changes them, and so that a long run takes as little memory as its line will.
 */
export interface PlayedRun {
  head: Omit<RunRecord, "steps">;
  steps: readonly string[];
}

/** The line of `runs.jsonl`, without its newline. */
export function runLine({ head, steps }: PlayedRun): string {
  return `${JSON.stringify(head).slice(0, -1)},"steps":[${steps.join(",")}]}`;
}
