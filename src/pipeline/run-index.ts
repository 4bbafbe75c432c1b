import { exists } from "../lib/files.ts";
import { readJsonl } from "../lib/jsonl.ts";
import { type RunRecord, runKey } from "../records/run.ts";
import { ScoreRecord } from "../records/score.ts";
import { addUsage, noUsage, type Usage } from "../records/usage.ts";
import { openRunIndex } from "./pairs/run-lines.ts";
import { storedRuns } from "./pairs/source.ts";

/** The runs of some `runs.jsonl` files in the data set's order, failed ones too; of each key its last line. */
export async function* readRuns(paths: readonly string[]): AsyncGenerator<RunRecord> {
  await using index = await openRunIndex(paths, { with_failed: true });
  for await (const batch of storedRuns(index)) for (const { run } of batch) yield run;
}

/** What a `runs.jsonl` holds so far. */
export interface Done {
  /** Keys (`runKey`) of the runs that ended well. */
  completed: Set<string>;
  /** Of every line, those of examples that were run again included: it was all paid for. */
  usage: Usage;
}

/** Reads a run's log for what need not be run again. A file that is not there holds nothing. */
export async function whatIsDone(path: string): Promise<Done> {
  const done: Done = { completed: new Set(), usage: noUsage() };
  if (!(await exists(path))) return done;
  for await (const { value } of readJsonl(path)) {
    const run = value as RunRecord;
    if (run.status === "completed") done.completed.add(runKey(run));
    else done.completed.delete(runKey(run));
    addUsage(done.usage, run.usage);
  }
  return done;
}

/** The lines of a `scores.jsonl` in the data set's order. Memory: all of them, which are short. */
export async function* readScores(path: string): AsyncGenerator<ScoreRecord> {
  const scores: ScoreRecord[] = [];
  for await (const { value } of readJsonl(path)) scores.push(ScoreRecord.parse(value));
  yield* scores.sort((a, b) => a.example_index - b.example_index || a.rep - b.rep || a.run_index - b.run_index);
}
