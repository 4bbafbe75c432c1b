import { structureOf } from "../evaluation/examples.ts";
import { type LineAppender, openLineAppender } from "../lib/append.ts";
import { EXIT, PairwrightError, usageError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { scrubbedLogger, scrubber } from "../lib/scrub.ts";
import type { PlayedRun } from "../records/run.ts";
import type { EvaluatorSummary } from "../records/score.ts";
import { addUsage, noUsage, type Usage } from "../records/usage.ts";
import type { Example } from "../registry/workflow.ts";
import { holdsAnswer, recordFromRow } from "../workflow/record-from-row.ts";
import { playExample } from "../workflow/run-example.ts";
import { beginRun } from "./begin-run.ts";
import { diskError } from "./disk-error.ts";
import type { Parts } from "./parts.ts";
import { type Played, type Progress, playExamples } from "./play-examples.ts";
import type { RunFolder } from "./run-folder.ts";
import { type Done, whatIsDone } from "./run-index.ts";
import type { RunOptions } from "./run-options.ts";
import { refuseUnsafeNames, scoreRunFolder } from "./score-run-folder.ts";

export interface EvaluateResult {
  run_dir: string;
  examples: number;
  completed: number;
  failed: number;
  /** Why examples failed: error code -> how many. */
  errors: Record<string, number>;
  scores: Record<string, EvaluatorSummary>;
  /** Why evaluators could not judge: error code -> how many. `--resume` asks again. */
  score_errors: Record<string, number>;
  usage: Usage;
  /** Of these, how long examples were being played. */
  playing_seconds: number;
  seconds: number;
  /** Why it ended before its end; the run can be resumed. */
  stopped?: Played["stopped"];
}

/** Runs the workflow over the data set and the evaluators over the runs: `dataset -> runs.jsonl -> scores.jsonl -> files`. */
export async function evaluate(parts: Parts, options: RunOptions): Promise<EvaluateResult> {
  const { folder, result } = await evaluateInto(parts, options);
  try {
    if (!result.stopped) await folder.update(completedAt(options));
    return result;
  } finally {
    await folder.close();
  }
}

/** What the manifest says of a run once its last stage has ended, and not before: `--resume` passes it over from then on. */
export function completedAt({ now }: Pick<RunOptions, "now">) {
  return { status: "completed" as const, finished_at: new Date(now()).toISOString() };
}

/** As `evaluate`, with the run folder left open for the stages after it; `result.stopped` tells that there are none. */
export async function evaluateInto(
  parts: Parts,
  options: RunOptions,
): Promise<{ folder: RunFolder; result: EvaluateResult }> {
  refuseContradictions(options, parts);
  refuseUnsafeNames(parts.evaluators);
  const started = options.now();
  const total = await countExamples(parts, options);
  options.onTotal?.(total);
  const folder = await beginRun(parts, options, total);
  try {
    const began = options.now();
    const { played, before } = await play(parts, options, folder);
    const got = { completed: before.completed.size + played.completed, failed: played.failed };
    const usage = before.usage;
    addUsage(usage, played.usage);
    const result: EvaluateResult = {
      run_dir: folder.dir,
      examples: total,
      ...got,
      errors: played.errors,
      scores: {},
      score_errors: {},
      usage,
      playing_seconds: (options.now() - began) / 1000,
      seconds: (options.now() - started) / 1000,
      ...(played.stopped && { stopped: played.stopped }),
    };
    const scored = played.stopped ? undefined : await scoreUnlessStopped(parts, options, folder);
    if (!scored) {
      result.stopped ??= "drained";
      await folder.update({ status: "interrupted", got, usage });
      return { folder, result };
    }
    result.scores = scored.scores;
    result.score_errors = scored.errors;
    addUsage(usage, scored.usage);
    result.seconds = (options.now() - started) / 1000;
    await folder.update({
      got,
      missing: { ...played.errors, ...prefixed("score: ", scored.errors) },
      scores: result.scores,
      usage,
    });
    return { folder, result };
  } catch (error) {
    await folder.update({ status: "interrupted" }).catch(() => undefined);
    await folder.close();
    throw diskError(folder.dir, error);
  }
}

/** Undefined when it was stopped meanwhile: the scores made so far are in `scores.jsonl`. */
async function scoreUnlessStopped(parts: Parts, options: RunOptions, folder: RunFolder) {
  try {
    return await scoreRunFolder(parts, options, folder);
  } catch (error) {
    if (options.stop.aborted) return undefined;
    throw error;
  }
}

/** Plays what is missing; `before` is what an earlier start of this run had done. */
async function play(parts: Parts, options: RunOptions, folder: RunFolder): Promise<{ played: Played; before: Done }> {
  const { log, num_runs = 1 } = options;
  const path = folder.path("runs.jsonl");
  await using appender = await openLineAppender(path);
  if (appender.healed) {
    log.warn(`${path}: ${appender.healed}; that example runs again`);
    await folder.update({ notes: [...folder.manifest.notes, `runs.jsonl: ${appender.healed}`] });
  }
  const before = await whatIsDone(path);
  const done = before.completed;
  if (done.size > 0) log.info(`${done.size} of ${folder.manifest.asked.examples} examples are done already`);

  const all: Played = { asked: 0, completed: 0, failed: 0, usage: noUsage(), errors: {}, stopped: undefined };
  for (let run_index = 0; run_index < num_runs && !all.stopped; run_index += 1) {
    // Awaited here: the log must stay open until the last line is in it.
    const run = await playRun(parts, options, { run_index, done, all, spent: before.usage.cost ?? 0, appender });
    addPlayed(all, run);
    if (run.stopped === "max_failures" && options.continue_on_failures && run_index + 1 < num_runs) {
      all.stopped = undefined;
      log.warn(
        `run ${run_index + 1} of ${num_runs}: more examples failed than --max-failures allows; going on with the next`,
      );
    }
    if (all.stopped) break;
    const { failed, errors } = run;
    const completed = run.asked - failed;
    await options.afterRun?.({ folder, run_index, completed, failed, errors, played: run.completed + failed });
  }
  return { played: all, before };
}

interface RunPlace {
  run_index: number;
  done: ReadonlySet<string>;
  /** What the runs before this one came to. */
  all: Played;
  /** By earlier starts, in US dollars. */
  spent: number;
  appender: LineAppender;
}

/** One run of the whole data set. */
function playRun(parts: Parts, options: RunOptions, place: RunPlace): Promise<Played> {
  const { seed, now, log, stop } = options;
  const { run_index, done, all, spent, appender } = place;
  const scrub = scrubber(parts.secrets);
  const safeLog = scrubbedLogger(log, scrub);
  return playExamples({
    examples: parts.examples,
    reps: options.reps,
    run_index,
    shard: options.shard,
    max_concurrency: parts.max_concurrency,
    play: player(parts, options, { seed, run_index, now, log: safeLog }),
    done,
    log: appender,
    scrub,
    drain: options.drain,
    stop,
    max_failures: options.max_failures,
    max_cost: options.max_cost,
    spent: spent + (all.usage.cost ?? 0),
    onProgress(progress) {
      const { completed, failed } = progress;
      sayFailure(progress, safeLog);
      const usage = { ...all.usage };
      addUsage(usage, progress.usage);
      options.onProgress?.({ ...progress, completed: all.completed + completed, failed: all.failed + failed, usage });
    },
  });
}

type PlayPlace = { seed: number; run_index: number; now: () => number; log: Logger };

function player(parts: Parts, options: RunOptions, { log, ...place }: PlayPlace) {
  const { group_key } = parts.pairs.split;
  const structure = structureOf(parts.shape);
  return async (example: Example, rep: number): Promise<PlayedRun> => {
    const group = group_key === undefined ? undefined : groupOf(example, group_key);
    const placed = { ...place, rep, group };
    const stored =
      options.skip_workflow || (options.skip_completed_entries && holdsAnswer(example, structure.generated_answer_key));
    if (stored) {
      const { steps, ...head } = recordFromRow(example, { ...placed, ...structure });
      return { head, steps: steps.map((step) => JSON.stringify(step)) };
    }
    const run = await playExample(example, {
      ...placed,
      workflow: parts.workflow.run,
      workflow_name: parts.workflow.name,
      policy_only: options.policy_only ?? false,
      signal: options.stop,
      log,
    });
    if (!options.result_of) return run;
    return { ...run, head: { ...run.head, output: options.result_of(run.head.output) ?? null } };
  };
}

function addPlayed(sum: Played, more: Played): void {
  sum.asked += more.asked;
  sum.completed += more.completed;
  sum.failed += more.failed;
  addUsage(sum.usage, more.usage);
  for (const [code, times] of Object.entries(more.errors)) sum.errors[code] = (sum.errors[code] ?? 0) + times;
  sum.stopped = more.stopped;
}

const FAILURES_SAID = 3;

/** The first few at once: that no model can be reached is better known now than after the last example. */
function sayFailure({ failed, last: { status, example_id, error } }: Progress, log: Logger): void {
  if (status !== "failed" || failed > FAILURES_SAID) return;
  const more = failed === FAILURES_SAID ? "; what fails after this is said in runs.jsonl alone" : "";
  log.warn(`example "${example_id}" failed: ${error?.message ?? "no reason is known"}${more}`);
}

function groupOf(example: Example, key: string): string {
  const value = example.row[key];
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw usageError({
    code: "no_group",
    where: `example "${example.id}"`,
    what: `the row has no "${key}", by which split.group_key groups`,
    fix: "give every row this field, or split by example",
  });
}

/** Reads the whole data set once before anything is spent, so that its faults come first; counts what will run. */
async function countExamples(parts: Parts, { reps, shard, num_runs = 1 }: RunOptions): Promise<number> {
  let rows = 0;
  let mine = 0;
  for await (const example of parts.examples()) {
    rows += 1;
    if (parts.pairs.split.group_key !== undefined) groupOf(example, parts.pairs.split.group_key);
    if (!shard || example.index % shard.of === shard.index - 1) mine += 1;
  }
  if (rows === 0) {
    throw usageError({
      code: "empty_dataset",
      what: "the data set has no examples",
      fix: "add rows, or loosen the filter",
    });
  }
  return mine * reps * num_runs;
}

function refuseContradictions(options: RunOptions, parts: Parts): void {
  const refuse = (what: string, fix: string) => {
    throw usageError({ code: "usage", what, fix });
  };
  if (options.reps > 1 && (options.skip_workflow || options.skip_completed_entries)) {
    refuse(
      "--reps needs the workflow, which --skip_workflow and --skip_completed_entries leave out",
      "drop one of them",
    );
  }
  if (options.max_cost !== undefined && !parts.knows_cost) {
    refuse(
      "--max-cost needs prices, and a model has none",
      "set `price: {prompt, completion}` (USD per million tokens) on every model under llms",
    );
  }
}

/** The error of a run that ended early, for the command line: what to type to go on. */
export function stoppedError(result: EvaluateResult, resume_command: string): PairwrightError {
  const reasons = {
    drained: "interrupted",
    max_failures: "more examples failed than --max-failures allows",
    max_cost: "the cost reached --max-cost",
  };
  return new PairwrightError({
    code: "interrupted",
    where: result.run_dir,
    what: `${reasons[result.stopped ?? "drained"]}; ${result.completed} of ${result.examples} examples are safe`,
    fix: `${result.stopped === "max_cost" ? "raise --max-cost, which counts all starts of the run, and " : ""}go on with: ${resume_command}`,
    exit_code: result.stopped === "max_failures" ? EXIT.some_failed : EXIT.interrupted,
  });
}

function prefixed(prefix: string, counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, n]) => [prefix + name, n]));
}
