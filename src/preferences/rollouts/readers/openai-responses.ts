import { isObject } from "../../../records/messages-of.ts";
import type { RolloutReader } from "../../../registry/training.ts";
import { readResponse } from "../read-response.ts";
import { firstOf, objectIn, taskIn } from "../row-values.ts";

/**
 * Logs of OpenAI's Responses API: the request under `request` or `body`, or its fields in the row itself; the response
 * under `response`, or its `output` in the row. The score is `reward` or `score`, of the row or of its `metadata`.
 */
export const openAiResponses: RolloutReader = {
  recognises: (rows) => rows.some((row) => isObject(row) && partsOf(row) !== undefined),

  rollouts(row) {
    if (!isObject(row)) return { problem: "a log's row is an object" };
    const parts = partsOf(row);
    if (parts === undefined) return { problem: "there is no input and output of the Responses API" };
    const read = readResponse(parts.request, parts.response);
    if ("problem" in read) return read;
    const metadata = objectIn(row, ["metadata"]) ?? {};
    const rollout = firstOf(row, ["rollout_index", "sample_index"]);
    return [
      {
        ...read,
        task: taskIn(row, ["task_id", "example_id"]) ?? taskIn(metadata, ["task_id", "example_id"]),
        rollout: typeof rollout === "number" ? rollout : undefined,
        reward: firstOf(row, ["reward", "score"]) ?? firstOf(metadata, ["reward", "score"]),
        components: objectIn(row, ["rewards", "scores"]),
      },
    ];
  },
};

function partsOf(row: Record<string, unknown>) {
  const request = objectIn(row, ["request", "body"]) ?? row;
  const response = objectIn(row, ["response"]) ?? row;
  const isAsked = typeof request.input === "string" || Array.isArray(request.input);
  return isAsked && Array.isArray(response.output) ? { request, response } : undefined;
}
