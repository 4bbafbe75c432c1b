import type { CandidateRecord } from "../../../records/candidate.ts";
import { isObject } from "../../../records/messages-of.ts";
import type { RolloutRecord } from "../../../records/rollout.ts";
import type { RunRecord } from "../../../records/run.ts";
import type { RolloutReader } from "../../../registry/training.ts";
import { turnsOf } from "../../candidates.ts";
import { stateOfReason } from "../row-values.ts";

/** Our own `runs.jsonl`: each candidate of a turn is a rollout; an example's turn is its task. */
export const runs: RolloutReader = {
  recognises: (rows) =>
    rows.some((row) => isObject(row) && typeof row.example_id === "string" && Array.isArray(row.steps)),

  rollouts(row) {
    if (!isObject(row) || typeof row.example_id !== "string" || !Array.isArray(row.steps)) {
      return { problem: "this is no run of runs.jsonl" };
    }
    if (row.status === "failed") return [];
    const records: RolloutRecord[] = [];
    for (const name of namesOf(row.steps)) {
      for (const { turn_index, candidates } of turnsOf(row as unknown as RunRecord, name)) {
        const task = JSON.stringify([row.example_id, name, turn_index]);
        for (const candidate of candidates) records.push(recordOf(task, candidate));
      }
    }
    return records;
  },
};

/** The names of the steps that are candidates: more than one workflow may record them. */
function namesOf(steps: readonly unknown[]): Set<string> {
  const names = new Set<string>();
  for (const step of steps) {
    const payload = isObject(step) ? step.payload : undefined;
    if (!isObject(payload) || typeof payload.name !== "string") continue;
    if (payload.event_type === "TTC_END" || payload.event_type === "CUSTOM_END") names.add(payload.name);
  }
  return names;
}

function recordOf(task: string, candidate: CandidateRecord): RolloutRecord {
  const { prompt, completion, tools, score, model, finish_reason } = candidate;
  return {
    task,
    // Its index tells it from the candidates of its turn alone.
    rollout: undefined,
    prompt,
    completion,
    ...(tools !== undefined && { tools }),
    reward: score,
    // An error of a scorer leaves a reply without a score, no more.
    state: completion.length === 0 ? "no_response" : stateOfReason(finish_reason, undefined),
    model,
  };
}
