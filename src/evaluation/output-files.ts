import { writeFileWhole } from "../lib/files.ts";
import type { RunKey, RunRecord } from "../records/run.ts";
import type { EvaluatorSummary, ScoreRecord } from "../records/score.ts";
import type { EventType } from "../records/step.ts";
import type { RowStructure } from "../registry/dataset.ts";
import type { Example } from "../registry/workflow.ts";

/** What a run is called in the seeds' files: the example's id, and `_rep1`, `_run1` and so on for those after the first. */
export function outputId({ example_id, rep, run_index }: RunKey): string {
  return `${example_id}${run_index > 0 ? `_run${run_index}` : ""}${rep > 0 ? `_rep${rep}` : ""}`;
}

/** Writes `<evaluator>_output.json`: the summary, then one item a run, in the order given. Streams; whole or not at all. Gives back its SHA-256. */
export async function writeEvaluatorOutput(
  path: string,
  summary: EvaluatorSummary,
  scores: AsyncIterable<ScoreRecord> | Iterable<ScoreRecord>,
): Promise<string> {
  async function* chunks() {
    const { average_score, ...rest } = summary;
    const head = JSON.stringify({ average_score, ...rest }, null, 2).slice(0, -2);
    yield `${head},\n  "eval_output_items": `;
    yield* jsonArray(scores, itemOf, "  ");
    yield "\n}\n";
  }
  return writeFileWhole(path, chunks());
}

function itemOf(record: ScoreRecord): Record<string, unknown> {
  const { score, reasoning = null, metrics, error } = record;
  return {
    id: outputId(record),
    score,
    reasoning,
    error: error === undefined ? null : `${error.code}: ${error.message}`,
    ...(metrics && { metrics }),
  };
}

/** A run with the data-set row that it came from, where that is at hand. */
export interface RunWithRow {
  run: RunRecord;
  row?: Record<string, unknown> | undefined;
}

export interface WorkflowOutputOptions {
  /** The names that the data set uses; the entries keep them. */
  structure: RowStructure;
  /** The id's field; `id` unless told. */
  id_key?: string | undefined;
  /** Keep only steps of these types; all when absent. */
  step_types?: readonly EventType[] | undefined;
}

/**
 * Writes `workflow_output.json`: for each run the row's own fields with id, question, answer, generated answer and steps,
 * so that the file can be a data set again. A failed run has a null answer and its error in `run_error`. With `structure.disable` the
 * entries are the bare outputs. Streams; whole or not at all. Gives back its SHA-256.
 */
export async function writeWorkflowOutput(
  path: string,
  runs: AsyncIterable<RunWithRow> | Iterable<RunWithRow>,
  options: WorkflowOutputOptions,
): Promise<string> {
  const types = options.step_types && new Set<string>(options.step_types);
  const entry = options.structure.disable
    ? ({ run }: RunWithRow) => run.output ?? null
    : (item: RunWithRow) => entryOf(item, options, types);
  async function* chunks() {
    yield* jsonArray(runs, entry, "");
    yield "\n";
  }
  return writeFileWhole(path, chunks());
}

function entryOf({ run, row = {} }: RunWithRow, options: WorkflowOutputOptions, types: Set<string> | undefined) {
  const { id_key = "id", structure } = options;
  // A row that is an entry of such a file itself must not hand on how its earlier run went.
  const { run_error: _, ...fields } = row;
  return {
    ...fields,
    [id_key]: outputId(run),
    [structure.question_key]: run.input ?? null,
    [structure.answer_key]: run.answer ?? row[structure.answer_key] ?? null,
    [structure.generated_answer_key]: run.output ?? null,
    [structure.trajectory_key]: types ? run.steps.filter((step) => types.has(step.payload.event_type)) : run.steps,
    [structure.expected_trajectory_key]: row[structure.expected_trajectory_key] ?? [],
    ...(run.error && { run_error: run.error }),
  };
}

/**
 * Joins runs to their rows while both stream by, runs ordered by `example_index` (reps of one example side by side).
 * Examples without a run are passed over; a run whose example does not come any more goes without a row.
 */
export async function* withRows(
  runs: AsyncIterable<RunRecord> | Iterable<RunRecord>,
  examples: AsyncIterable<Example>,
): AsyncGenerator<RunWithRow> {
  const iterator = examples[Symbol.asyncIterator]();
  let current: Example | undefined;
  let ended = false;
  try {
    for await (const run of runs) {
      while (!ended && (current === undefined || current.index < run.example_index)) {
        const { done, value } = await iterator.next();
        if (done) ended = true;
        else current = value;
      }
      yield { run, row: current?.id === run.example_id ? current.row : undefined };
    }
  } finally {
    await iterator.return?.();
  }
}

async function* jsonArray<T>(
  items: AsyncIterable<T> | Iterable<T>,
  toJson: (item: T) => unknown,
  indent: string,
): AsyncGenerator<string> {
  let first = true;
  for await (const item of items) {
    yield `${first ? "[" : ","}\n${indent}  ${JSON.stringify(toJson(item))}`;
    first = false;
  }
  yield first ? "[]" : `\n${indent}]`;
}
