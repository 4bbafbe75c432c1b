import { RUN_FAILED, scoreRuns } from "../evaluation/evaluate-runs.ts";
import { structureOf } from "../evaluation/examples.ts";
import { type RunWithRow, withRows, writeEvaluatorOutput, writeWorkflowOutput } from "../evaluation/output-files.ts";
import { createScoreSummary } from "../evaluation/summary.ts";
import { openLineAppender } from "../lib/append.ts";
import { type Channel, createChannel } from "../lib/channel.ts";
import { usageError } from "../lib/errors.ts";
import { exists, writeFileWhole } from "../lib/files.ts";
import { badLine, readLines } from "../lib/jsonl.ts";
import { scrubber } from "../lib/scrub.ts";
import { type RunRecord, runKey } from "../records/run.ts";
import { EvaluatorName, type EvaluatorSummary, ScoreRecord } from "../records/score.ts";
import { addUsage, noUsage, type Usage } from "../records/usage.ts";
import type { Example } from "../registry/workflow.ts";
import { withTally } from "../workflow/tally.ts";
import type { Parts } from "./parts.ts";
import type { RunFolder } from "./run-folder.ts";
import { readRuns, readScores } from "./run-index.ts";
import type { RunOptions } from "./run-options.ts";

type ScoreParts = Pick<Parts, "evaluators" | "examples" | "shape" | "secrets" | "max_concurrency">;
type Stops = Pick<RunOptions, "drain" | "stop" | "log">;

/** What the evaluators found, and what that cost. */
export interface ScoredRun {
  scores: Record<string, EvaluatorSummary>;
  /** Why evaluations failed: error code -> how many; those of failed runs are not among them. `--resume` asks again. */
  errors: Record<string, number>;
  /** Of the evaluators' model calls, those of an earlier start of this run included. */
  usage: Usage;
}

/** An evaluator's name that cannot be a file's is refused before anything is spent. */
export function refuseUnsafeNames(evaluators: Record<string, unknown>): void {
  for (const name of Object.keys(evaluators)) {
    const { error } = EvaluatorName.safeParse(name);
    if (!error) continue;
    throw usageError({
      code: "bad_evaluator_name",
      where: `evaluator ${JSON.stringify(name.slice(0, 100))}`,
      what: "this name cannot be part of a file's name",
      fix: `choose another: ${error.issues.map(({ message }) => message).join("; ")}`,
    });
  }
}

/**
 * `runs.jsonl -> scores.jsonl -> summary`, and the seeds' own files, into the run folder and (for the seeds' readers)
 * the output folder. Each run is read once, for the evaluators and for `workflow_output.json`. Undefined when `drain`
 * came in between: the scores made so far are kept, no file is written of half the runs.
 */
export async function scoreRunFolder(
  parts: ScoreParts,
  stops: Stops,
  folder: RunFolder,
): Promise<ScoredRun | undefined> {
  refuseUnsafeNames(parts.evaluators);
  const outputs: Record<string, string> = {};
  const channel = createChannel<RunWithRow>();
  const writing = writeWorkflowOutput(folder.path("workflow_output.json"), channel.items, {
    structure: structureOf(parts.shape),
    id_key: parts.shape.id_key,
  });
  // Its fault is thrown below, when the scoring has ended.
  writing.catch(() => undefined);
  try {
    await scoreAll(parts, stops, folder, channel);
    if (stops.drain.aborted) throw new DOMException("drained", "AbortError");
    channel.end();
  } catch (error) {
    channel.end(error);
    // Where the file could not be written, that is the fault, and not that nobody read any more.
    const fault: unknown = await writing.then(
      () => error,
      (thrown: unknown) => thrown,
    );
    if (stops.drain.aborted) return undefined;
    throw fault;
  }
  outputs["workflow_output.json"] = await writing;

  const scored = await summaryOf(parts, folder);
  for (const [name, summary] of Object.entries(scored.scores)) {
    const file = `${name}_output.json`;
    const items = ofEvaluator(name, readScores(folder.path("scores.jsonl")));
    outputs[file] = await writeEvaluatorOutput(folder.path(file), summary, items);
  }
  for (const name of Object.keys(outputs)) await folder.publish(name);
  await folder.update({ outputs: { ...folder.manifest.outputs, ...outputs } });
  return scored;
}

/** Scores of an earlier start of this run stay and are not asked for again, errors are; failed runs get a line that says so. */
async function scoreAll(
  parts: ScoreParts,
  stops: Stops,
  folder: RunFolder,
  channel: Channel<RunWithRow>,
): Promise<void> {
  const { stop, log } = stops;
  const path = folder.path("scores.jsonl");
  const scrub = scrubber(parts.secrets);
  const done = await scoresToKeep(path, log);
  const examples = new WeakMap<RunRecord, Example>();
  await using scores = await openLineAppender(path);
  await scoreRuns({
    runs: runsToScore(parts, stops, folder, { examples, channel }),
    evaluators: parts.evaluators,
    max_concurrency: parts.max_concurrency,
    example: (run) => examples.get(run),
    signal: stop,
    withUsage: withTally,
    done: (evaluator, key) => done.has(`${evaluator}/${key}`),
    onScore: (score) => scores.appendSoon(scrub(JSON.stringify(score))),
  });
  await scores.flush();
}

/** The runs in the data set's order, each one's row noted on the way; no more of them once `drain` is set. */
async function* runsToScore(
  parts: ScoreParts,
  { drain }: Stops,
  folder: RunFolder,
  { examples, channel }: { examples: WeakMap<RunRecord, Example>; channel: Channel<RunWithRow> },
): AsyncGenerator<RunRecord> {
  for await (const item of withRows(readRuns([folder.path("runs.jsonl")]), parts.examples())) {
    if (drain.aborted) return;
    const { run, row } = item;
    const { example_id: id, example_index: index, input, answer } = run;
    if (row) examples.set(run, { id, index, input, row, ...(answer !== undefined && { answer }) });
    await channel.send(item);
    yield run;
  }
}

async function summaryOf(parts: ScoreParts, folder: RunFolder): Promise<ScoredRun> {
  const summary = createScoreSummary(parts.evaluators);
  const errors: Record<string, number> = {};
  const usage = noUsage();
  for await (const { score } of scoreLines(folder.path("scores.jsonl"))) {
    summary.add(score);
    if (score.usage) addUsage(usage, score.usage);
    if (score.error && score.error.code !== RUN_FAILED) errors[score.error.code] = (errors[score.error.code] ?? 0) + 1;
  }
  return { scores: summary.summaries(), errors, usage };
}

async function* ofEvaluator(name: string, scores: AsyncIterable<ScoreRecord>) {
  for await (const score of scores) if (score.evaluator === name) yield score;
}

/**
 * The keys scored earlier. Lines with an error are taken out: the run may have ended well since, and the judge may be
 * back. A line cut by a crash is cut off, and said.
 */
async function scoresToKeep(path: string, log: Stops["log"]): Promise<Set<string>> {
  const done = new Set<string>();
  if (!(await exists(path))) return done;
  const { healed, close } = await openLineAppender(path);
  await close();
  if (healed) log.warn(`${path}: ${healed}; it is scored again`);

  let failed = 0;
  for await (const { score } of scoreLines(path)) {
    if (score.error) failed += 1;
    else done.add(`${score.evaluator}/${runKey(score)}`);
  }
  if (failed > 0) await writeFileWhole(path, linesWithoutError(path));
  return done;
}

async function* linesWithoutError(path: string): AsyncGenerator<string> {
  for await (const { score, text } of scoreLines(path)) if (!score.error) yield `${text}\n`;
}

async function* scoreLines(path: string): AsyncGenerator<{ score: ScoreRecord; text: string }> {
  for await (const { text, number } of readLines(path)) {
    let score: ScoreRecord;
    try {
      score = ScoreRecord.parse(JSON.parse(text));
    } catch (cause) {
      throw badLine(path, number, "this line is no score of an evaluator", cause);
    }
    yield { score, text };
  }
}
