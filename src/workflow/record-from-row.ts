import type { RunRecord } from "../records/run.ts";
import { IntermediateStep } from "../records/step.ts";
import { noUsage } from "../records/usage.ts";
import type { Example } from "../registry/workflow.ts";

export interface RowRecordOptions {
  generated_answer_key: string;
  trajectory_key: string;
  rep: number;
  run_index: number;
  seed: number;
  group?: string | undefined;
  now: () => number;
}

/** Whether a row of the data set holds an answer of an earlier run. */
export function holdsAnswer(example: Example, generated_answer_key: string): boolean {
  const answer = example.row[generated_answer_key];
  return answer !== undefined && answer !== null && answer !== "";
}

/** The record of a run that the data set already holds: its answer and its steps, with nothing run. */
export function recordFromRow(example: Example, options: RowRecordOptions): RunRecord {
  const { generated_answer_key, trajectory_key, rep, run_index, seed, group, now } = options;
  const there = holdsAnswer(example, generated_answer_key);
  const stored = example.row[trajectory_key];
  const steps = IntermediateStep.array().safeParse(stored ?? []);
  const missing = { code: "no_stored_answer", message: `the row has no "${generated_answer_key}"` };
  const broken = {
    code: "bad_stored_steps",
    message: `the row's "${trajectory_key}" is no list of intermediate steps`,
  };
  const error = !there ? missing : steps.success ? undefined : broken;
  return {
    example_id: example.id,
    example_index: example.index,
    rep,
    run_index,
    status: error ? "failed" : "completed",
    seed,
    started_at: new Date(now()).toISOString(),
    seconds: 0,
    usage: noUsage(),
    ...(error && { error }),
    input: example.input,
    ...(example.answer !== undefined && { answer: example.answer }),
    output: there ? example.row[generated_answer_key] : null,
    ...(group !== undefined && { group }),
    steps: steps.data ?? [],
  };
}
