import { RUN_FAILED, scoreRuns } from "../evaluation/evaluate-runs.ts";
import { withRows } from "../evaluation/output-files.ts";
import { createScoreSummary } from "../evaluation/summary.ts";
import { openLineAppender } from "../lib/append.ts";
import { exists, writeFileWhole } from "../lib/files.ts";
import { readJsonl, readLines } from "../lib/jsonl.ts";
import { scrubber } from "../lib/scrub.ts";
import { type RunRecord, runKey } from "../records/run.ts";
import { type EvaluatorSummary, ScoreRecord } from "../records/score.ts";
import type { Example } from "../registry/workflow.ts";
import type { Parts } from "./parts.ts";
import type { RunFolder } from "./run-folder.ts";
import { readRuns } from "./run-index.ts";
import type { RunOptions } from "./run-options.ts";

/**
 * `runs.jsonl -> scores.jsonl -> summary`. Scores of an earlier start of this run stay and are not asked for again;
 * failed runs get a line of their own that says so.
 */
export async function scoreRunFolder(
  parts: Parts,
  { drain, stop, log }: Pick<RunOptions, "drain" | "stop" | "log">,
  folder: RunFolder,
): Promise<Record<string, EvaluatorSummary>> {
  const names = Object.keys(parts.evaluators);
  if (names.length === 0) return {};
  const path = folder.path("scores.jsonl");
  const scrub = scrubber(parts.secrets);
  const done = await scoresToKeep(path);
  const examples = new WeakMap<RunRecord, Example>();
  {
    await using scores = await openLineAppender(path);
    if (scores.healed) log.warn(`${path}: ${scores.healed}; it is scored again`);
    await scoreRuns({
      runs: runsWithExamples(parts, folder, examples, drain),
      evaluators: parts.evaluators,
      max_concurrency: parts.max_concurrency,
      example: (run) => examples.get(run),
      signal: stop,
      done: (evaluator, key) => done.has(`${evaluator}/${key}`),
      onScore: (score) => scores.appendSoon(scrub(JSON.stringify(score))),
    });
    await scores.flush();
  }
  const summary = createScoreSummary(names);
  for await (const { value } of readJsonl(path)) summary.add(ScoreRecord.parse(value));
  return summary.summaries();
}

/** The runs in the data set's order, each one's row noted on the way; no more of them once `drain` is set. */
async function* runsWithExamples(
  parts: Parts,
  folder: RunFolder,
  examples: WeakMap<RunRecord, Example>,
  drain: AbortSignal,
) {
  for await (const { run, row } of withRows(readRuns([folder.path("runs.jsonl")]), parts.examples())) {
    if (drain.aborted) return;
    const { example_id: id, example_index: index, input, answer } = run;
    if (row) examples.set(run, { id, index, input, row, ...(answer !== undefined && { answer }) });
    yield run;
  }
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
