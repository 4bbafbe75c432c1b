import { join } from "node:path";
import type { EvaluatorSummary } from "../../records/score.ts";
import { evaluate } from "../evaluate.ts";
import type { Parts } from "../parts.ts";
import { findRuns } from "../run-folder.ts";
import type { RunOptions } from "../run-options.ts";

/** What a model does by itself on the examples that nothing was collected from. */
export interface Measurement {
  model: string;
  examples: number;
  /** How often each was played. */
  reps: number;
  /** Of examples times reps. */
  failed: number;
  /** One candidate a turn, no scorer, no retry. */
  scores: Record<string, EvaluatorSummary>;
  /** With the workflow's own candidates and scorer: the model and its judge together. null: not measured. */
  best_of_n: Record<string, EvaluatorSummary> | null;
  /** The run's folder. */
  run_dir: string;
}

export interface MeasureOptions
  extends Pick<RunOptions, "version" | "seed" | "reps" | "drain" | "stop" | "log" | "now" | "onTotal" | "onProgress"> {
  model: string;
  /** Whether it is measured with its judge, too. */
  best_of_n: boolean;
  /** Where the runs go, one folder for each of the two; what was measured there before is not measured again. */
  dir: string;
}

/** Measures a model with the parts that call it. Undefined where it was stopped; a later call goes on. */
export async function measureModel(parts: Parts, options: MeasureOptions): Promise<Measurement | undefined> {
  const alone = await runOnce(parts, { ...options, policy_only: true, name: "policy_only" });
  if (alone === undefined) return undefined;
  const judged = options.best_of_n && (await runOnce(parts, { ...options, policy_only: false, name: "best_of_n" }));
  if (judged === undefined) return undefined;
  const { played, failed, scores, run_dir } = alone;
  const { model, reps } = options;
  return { model, examples: played / reps, reps, failed, scores, best_of_n: judged ? judged.scores : null, run_dir };
}

interface Ran {
  played: number;
  failed: number;
  scores: Record<string, EvaluatorSummary>;
  run_dir: string;
}

async function runOnce(
  parts: Parts,
  { dir, name, ...options }: MeasureOptions & { policy_only: boolean; name: string },
): Promise<Ran | undefined> {
  const output_dir = join(dir, name);
  const [newest] = await findRuns(output_dir);
  if (newest?.status === "completed" && newest.scores !== undefined) {
    const { asked, got, scores, run_id } = newest;
    return { played: asked.examples, failed: got.failed, scores, run_dir: join(output_dir, run_id) };
  }
  const { version, seed, reps, policy_only, drain, stop, log, now, onTotal, onProgress } = options;
  const result = await evaluate(
    { ...parts, output_dir },
    {
      ...{ command: "measure", version, seed, reps, policy_only, resume: newest !== undefined, drain, stop, log, now },
      ...(onTotal && { onTotal }),
      ...(onProgress && { onProgress }),
    },
  );
  const { examples, failed, scores, run_dir } = result;
  return result.stopped ? undefined : { played: examples, failed, scores, run_dir };
}
