import { forEachBounded } from "../lib/concurrency.ts";
import { codeOf, messageOf } from "../lib/errors.ts";
import { type ErrorRecord, type RunRecord, runKey } from "../records/run.ts";
import type { ScoreRecord } from "../records/score.ts";
import type { Usage } from "../records/usage.ts";
import type { Evaluation, Evaluator } from "../registry/evaluator.ts";
import type { Example } from "../registry/workflow.ts";

/** The `error.code` of a score that is missing because its run failed. Such a record does not count as done. */
export const RUN_FAILED = "run_failed";

export interface ScoreRunsArguments {
  runs: AsyncIterable<RunRecord> | Iterable<RunRecord>;
  evaluators: Record<string, Evaluator>;
  /** How many evaluations may be under way at once, over all evaluators together. */
  max_concurrency: number;
  /** The data-set row behind a run, where it can be had. */
  example?: ((run: RunRecord) => Example | undefined | Promise<Example | undefined>) | undefined;
  signal: AbortSignal;
  /** Runs one evaluation and says what its model calls used, also when it fails; nothing is counted when absent. */
  withUsage?: (<T>(work: () => Promise<T>) => Promise<{ value: T; usage: Usage }>) | undefined;
  /** Whether a completed run (`runKey`) was scored earlier. It is then passed over; failed runs are not asked about. */
  done?: ((evaluator: string, key: string) => boolean) | undefined;
  /** Gets each record as it comes, in any order; awaited, so that a slow disk slows the scoring. */
  onScore(record: ScoreRecord): void | Promise<void>;
}

/** What came of it, over all evaluators. */
export interface ScoreCounts {
  scored: number;
  /** Records with a null score: failed runs, evaluators that threw or had no opinion. */
  unscored: number;
  /** Passed over, because `done` said so. */
  skipped: number;
}

/**
 * Puts every run before every evaluator, bounded. Each pair of the two gives one record: one throw is that record's
 * error with a null score, never a zero and never the end of the others. A failed run is not evaluated; its records say
 * so, so that n and unscored add up to what was asked. The signal's abort ends it all with the signal's reason.
 */
export async function scoreRuns(args: ScoreRunsArguments): Promise<ScoreCounts> {
  const { evaluators, max_concurrency, signal, onScore } = args;
  const counts: ScoreCounts = { scored: 0, unscored: 0, skipped: 0 };

  async function* jobs() {
    for await (const run of args.runs) {
      for (const [name, evaluator] of Object.entries(evaluators)) yield { run, name, evaluator };
    }
  }

  await forEachBounded(
    jobs(),
    max_concurrency,
    async ({ run, name, evaluator }) => {
      if (run.status === "completed" && args.done?.(name, runKey(run))) {
        counts.skipped += 1;
        return;
      }
      const outcome =
        run.status === "completed" ? await outcomeOf(run, evaluator, args) : notScored(RUN_FAILED, failureOf(run));
      if (outcome.score === null) counts.unscored += 1;
      else counts.scored += 1;
      const { example_id, example_index, rep, run_index } = run;
      await onScore({ evaluator: name, example_id, example_index, rep, run_index, ...outcome });
    },
    () => signal.aborted,
  );
  signal.throwIfAborted();
  return counts;
}

type Outcome = Pick<ScoreRecord, "score" | "reasoning" | "metrics" | "error" | "usage">;

async function outcomeOf(run: RunRecord, evaluator: Evaluator, args: ScoreRunsArguments): Promise<Outcome> {
  if (!args.withUsage) return evaluated(run, evaluator, args);
  const { value, usage } = await args.withUsage(() => evaluated(run, evaluator, args));
  return usage.llm_calls > 0 ? { ...value, usage } : value;
}

async function evaluated(run: RunRecord, evaluator: Evaluator, args: ScoreRunsArguments): Promise<Outcome> {
  try {
    const example = await args.example?.(run);
    return checked(await evaluator.evaluate(run, { example, signal: args.signal }));
  } catch (error) {
    args.signal.throwIfAborted();
    return notScored(codeOf(error) ?? "evaluator_failed", messageOf(error));
  }
}

/** What an evaluator gave back is another's code: only finite numbers are figures, and only JSON can be written. */
function checked(evaluation: Evaluation): Outcome {
  if (typeof evaluation !== "object" || evaluation === null || !("score" in evaluation)) {
    return notScored("bad_score", "the evaluator gave back no object with a score");
  }
  const { score, reasoning, metrics = {} } = evaluation;
  const faults: string[] = [];
  const figures: Record<string, number | null> = {};
  for (const [name, value] of Object.entries(metrics)) {
    figures[name] = isFigure(value) ? value : null;
    if (!isFigure(value) && value !== null) faults.push(`the metric "${name}" is ${describe(value)}`);
  }
  if (!isFigure(score) && score !== null) faults.unshift(`the score is ${describe(score)}`);
  const outcome: Outcome = { score: isFigure(score) ? score : null };
  if (Object.keys(figures).length > 0) outcome.metrics = figures;
  if (reasoning !== undefined) {
    if (isJson(reasoning)) outcome.reasoning = reasoning;
    else faults.push("the reasoning cannot be written as JSON");
  }
  if (faults.length > 0) outcome.error = { code: "bad_score", message: faults.join("; ") };
  return outcome;
}

function isFigure(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function describe(value: unknown): string {
  return typeof value === "number" ? String(value) : `no number but of type ${typeof value}`;
}

function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

function notScored(code: string, message: string): Outcome {
  const error: ErrorRecord = { code, message };
  return { score: null, error };
}

function failureOf({ error }: RunRecord): string {
  return error === undefined ? "the run failed" : `the run failed: ${error.code}`;
}
