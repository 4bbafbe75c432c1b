import { turnsOf } from "../../preferences/candidates.ts";
import type { CandidateRecord } from "../../records/candidate.ts";
import { textOf } from "../../records/message-text.ts";
import type { RunRecord } from "../../records/run.ts";
import { noUsage } from "../../records/usage.ts";
import type { Candidate, Question, Scorer } from "../../registry/workflow.ts";

/** Gives a stored run's candidates other scores. */
export type Rescore = (run: RunRecord) => Promise<RunRecord>;

/**
 * Scores stored candidates with another scorer, from what the run kept: prompt, reply, the example's input and answer.
 * What the workflow had in memory (a parsed `value`, an `input` of its own) is gone. A throw, no opinion and no reply
 * leave a candidate unscored.
 */
export function rescorer(score: Scorer, step_name: string, signal: AbortSignal): Rescore {
  return async (run) => {
    const scores = new Map<string, number | null>();
    for (const turn of turnsOf(run, step_name)) {
      for (const candidate of turn.candidates)
        scores.set(keyOf(candidate), await scoreOf(candidate, run, score, signal));
    }
    return {
      ...run,
      steps: run.steps.map((step) => {
        const { data, metadata } = step.payload;
        const given = scores.get(keyOf({ ...metadata, ...data } as Partial<CandidateRecord>));
        if (step.payload.name !== step_name || given === undefined) return step;
        // In both places, since a reader looks into one after the other.
        const rest = { ...metadata, ...(metadata && "score" in metadata && { score: given }) };
        return { ...step, payload: { ...step.payload, data: { ...data, score: given }, metadata: rest } };
      }),
    };
  };
}

function keyOf({ turn_id, candidate_index }: Partial<CandidateRecord>): string {
  return `${turn_id}/${candidate_index}`;
}

async function scoreOf(record: CandidateRecord, run: RunRecord, score: Scorer, signal: AbortSignal) {
  const last = record.completion.at(-1);
  if (!last) return null;
  const candidate: Candidate = {
    candidate_index: record.candidate_index,
    seed: record.seed ?? 0,
    text: textOf(last),
    messages: record.completion,
    prompt: record.prompt,
    tools: record.tools,
    value: undefined,
    score: null,
    reason: undefined,
    error: undefined,
    finish_reason: record.finish_reason,
    model: record.model,
    usage: noUsage(),
    is_selected: record.is_selected,
    metadata: {},
  };
  const { example_id: id, example_index: index, input, answer } = run;
  const question: Question = {
    label: "stored",
    turn_index: record.turn_index,
    prompt: record.prompt,
    input,
    example: { id, index, input, row: {}, ...(answer !== undefined && { answer }) },
    signal,
  };
  try {
    const result = await score(candidate, question);
    const value = typeof result === "object" && result !== null ? result.score : result;
    return typeof value === "number" && Number.isFinite(value) ? value : null;
  } catch {
    signal.throwIfAborted();
    return null;
  }
}
