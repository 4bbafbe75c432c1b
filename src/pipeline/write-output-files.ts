import { structureOf } from "../evaluation/examples.ts";
import { withRows, writeEvaluatorOutput, writeWorkflowOutput } from "../evaluation/output-files.ts";
import { fileSha256 } from "../lib/files.ts";
import type { EvaluatorSummary, ScoreRecord } from "../records/score.ts";
import type { Parts } from "./parts.ts";
import type { RunFolder } from "./run-folder.ts";
import { readRuns, readScores } from "./run-index.ts";

/** Writes the seeds' own files into the run folder and, for the seeds' readers, into the output folder. */
export async function writeOutputFiles(
  parts: Parts,
  folder: RunFolder,
  scores: Record<string, EvaluatorSummary>,
): Promise<void> {
  const names: string[] = ["workflow_output.json"];
  await writeWorkflowOutput(
    folder.path("workflow_output.json"),
    withRows(readRuns([folder.path("runs.jsonl")]), parts.examples()),
    { structure: structureOf(parts.shape), id_key: parts.shape.id_key },
  );
  for (const [name, summary] of Object.entries(scores)) {
    const file = `${name}_output.json`;
    await writeEvaluatorOutput(folder.path(file), summary, ofEvaluator(name, readScores(folder.path("scores.jsonl"))));
    names.push(file);
  }
  const outputs: Record<string, string> = {};
  for (const name of names) {
    await folder.publish(name);
    outputs[name] = await fileSha256(folder.path(name));
  }
  await folder.update({ outputs: { ...folder.manifest.outputs, ...outputs } });
}

async function* ofEvaluator(name: string, scores: AsyncIterable<ScoreRecord>) {
  for await (const score of scores) if (score.evaluator === name) yield score;
}
