import { RUN_FAILED, scoreRuns } from "../evaluation/evaluate-runs.ts";
import { structureOf } from "../evaluation/examples.ts";
import { type RunWithRow, withRows, writeEvaluatorOutput, writeWorkflowOutput } from "../evaluation/output-files.ts";
import { createScoreSummary } from "../evaluation/summary.ts";
import { openLineAppender } from "../lib/append.ts";
import { type Channel, createChannel } from "../lib/channel.ts";
import { exists, writeFileWhole } from "../lib/files.ts";
import { readJsonl, readLines } from "../lib/jsonl.ts";
import { scrubber } from "../lib/scrub.ts";
import { type RunRecord, runKey } from "../records/run.ts";
import { type EvaluatorSummary, ScoreRecord } from "../records/score.ts";
import type { Example } from "../registry/workflow.ts";
import type { Parts } from "./parts.ts";
import type { RunFolder } from "./run-folder.ts";
import { readRuns, readScores } from "./run-index.ts";
import type { RunOptions } from "./run-options.ts";

type Stops = Pick<RunOptions, "drain" | "stop" | "log">;

/**
 * `runs.jsonl -> scores.jsonl -> summary`, and the seeds' own files, into the run folder and (for the seeds' readers)
 * the output folder. Each run is read once, for the evaluators and for `workflow_output.json`. Undefined when `drain`
 * came in between: the scores made so far are kept, no file is written of half the runs.
 */
export async function scoreRunFolder(
  parts: Parts,
  stops: Stops,
  folder: RunFolder,
): Promise<Record<string, EvaluatorSummary> | undefined> {
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

  const scores = await summaryOf(parts, folder);
  for (const [name, summary] of Object.entries(scores)) {
    const file = `${name}_output.json`;
    const items = ofEvaluator(name, readScores(folder.path("scores.jsonl")));
    outputs[file] = await writeEvaluatorOutput(folder.path(file), summary, items);
  }
  for (const name of Object.keys(outputs)) await folder.publish(name);
  await folder.update({ outputs: { ...folder.manifest.outputs, ...outputs } });
  return scores;
}

/** Scores of an earlier start of this run stay and are not asked for again; failed runs get a line that says so. */
async function scoreAll(parts: Parts, stops: Stops, folder: RunFolder, channel: Channel<RunWithRow>): Promise<void> {
  const { stop, log } = stops;
  const path = folder.path("scores.jsonl");
  const scrub = scrubber(parts.secrets);
  const done = await scoresToKeep(path);
  const examples = new WeakMap<RunRecord, Example>();
  await using scores = await openLineAppender(path);
  if (scores.healed) log.warn(`${path}: ${scores.healed}; it is scored again`);
  await scoreRuns({
    runs: runsToScore(parts, stops, folder, { examples, channel }),
    evaluators: parts.evaluators,
    max_concurrency: parts.max_concurrency,
    example: (run) => examples.get(run),
    signal: stop,
    done: (evaluator, key) => done.has(`${evaluator}/${key}`),
    onScore: (score) => scores.appendSoon(scrub(JSON.stringify(score))),
  });
  await scores.flush();
}

/** The runs in the data set's order, each one's row noted on the way; no more of them once `drain` is set. */
async function* runsToScore(
  parts: Parts,
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

async function summaryOf(parts: Parts, folder: RunFolder): Promise<Record<string, EvaluatorSummary>> {
  const names = Object.keys(parts.evaluators);
  const summary = createScoreSummary(names);
  for await (const { value } of readJsonl(folder.path("scores.jsonl"))) summary.add(ScoreRecord.parse(value));
  return summary.summaries();
}

async function* ofEvaluator(name: string, scores: AsyncIterable<ScoreRecord>) {
  for await (const score of scores) if (score.evaluator === name) yield score;
}

/** The keys scored earlier. Lines of runs that had failed are taken out: such a run may have ended well since. */
async function scoresToKeep(path: string): Promise<Set<string>> {
  const done = new Set<string>();
  if (!(await exists(path))) return done;
  const kept: string[] = [];
  for await (const line of readLines(path)) {
    if (!line.complete) continue;
    const score = ScoreRecord.parse(JSON.parse(line.text));
    if (score.error?.code === RUN_FAILED) continue;
    done.add(`${score.evaluator}/${runKey(score)}`);
    kept.push(`${line.text}\n`);
  }
  await writeFileWhole(path, kept);
  return done;
}
