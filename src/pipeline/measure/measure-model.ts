import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { EXIT, PairwrightError } from "../../lib/errors.ts";
import type { RunManifest } from "../../records/manifest.ts";
import type { EvaluatorSummary } from "../../records/score.ts";
import { changesSince } from "../effective-changes.ts";
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
  /** False: candidates were collected from these examples, and trained on. Absent in records of older versions. */
  held_out?: boolean;
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
  /** Called before the model is asked for anything: what was measured before needs no model. False: stopped. */
  ready?: (() => Promise<boolean>) | undefined;
  /** Where the runs go, one folder for each of the two; what was measured there before, with the same seed, is not measured again. */
  dir: string;
}

/**
 * Measures a model with the parts that call it. Undefined where it was stopped; a later call goes on. Error:
 * `model_unreachable` (exit 6) when its server went away, since a figure of what was left would be no measurement; a later
 * call plays what is missing.
 */
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
  const changed = newest && (await changesSince(parts, join(output_dir, newest.run_id)));
  const is_same = newest !== undefined && changed !== undefined && (await isSame(newest, changed, parts, options));
  if (
    is_same &&
    newest.status === "completed" &&
    newest.scores !== undefined &&
    !wentAway(newest.missing, newest.got.completed)
  ) {
    const { asked, got, scores, run_id } = newest;
    return { played: asked.examples, failed: got.failed, scores, run_dir: join(output_dir, run_id) };
  }
  if (options.ready !== undefined && !(await options.ready())) return undefined;
  const { version, seed, reps, policy_only, drain, stop, log, now, onTotal, onProgress } = options;
  const result = await evaluate(
    { ...parts, output_dir },
    {
      ...{
        command: "measure",
        version,
        seed,
        reps,
        policy_only,
        resume: is_same && changed.length === 0,
        drain,
        stop,
        log,
        now,
      },
      ...(onTotal && { onTotal }),
      ...(onProgress && { onProgress }),
    },
  );
  const { examples, completed, failed, scores, run_dir, errors } = result;
  if (!result.stopped && wentAway(errors, completed)) throw unreachable(options.model, failed, examples);
  return result.stopped ? undefined : { played: examples, failed, scores, run_dir };
}

/** What decides what a model is measured as; the model's own name is in the first. */
const DECIDES = /^(llms|functions|ttc_strategies|workflow|eval)(\.|$)/;

/** Whether a run measured the same: with other models, seeds, examples or repetitions it is no measurement to compare with. */
async function isSame(
  run: RunManifest,
  changed: readonly string[],
  parts: Parts,
  { seed, reps }: Pick<MeasureOptions, "seed" | "reps">,
): Promise<boolean> {
  if (changed.some((path) => DECIDES.test(path))) return false;
  return run.seed === seed && run.reps === reps && isDeepStrictEqual(run.inputs, await parts.inputs());
}

const NO_CONNECTION = ["llm_unreachable", "http_unreachable"];
const NO_ANSWER = [...NO_CONNECTION, "llm_timeout", "http_timeout", "http_tls"];

/** Whether examples failed because nobody was there, and not by themselves: a slow one may time out each time. */
function wentAway(errors: Readonly<Record<string, number>>, completed: number): boolean {
  const codes = Object.keys(errors);
  if (codes.some((code) => NO_CONNECTION.includes(code))) return true;
  return completed === 0 && codes.length > 0 && codes.every((code) => NO_ANSWER.includes(code));
}

function unreachable(model: string, failed: number, examples: number): PairwrightError {
  return new PairwrightError({
    code: "model_unreachable",
    where: model,
    what: `${failed} of ${examples} examples could not be measured: the model's server did not answer`,
    fix: "see that it runs; --resume measures what is missing",
    exit_code: EXIT.unreachable,
  });
}
