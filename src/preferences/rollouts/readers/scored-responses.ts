import { isObject, messagesOf, toolsOf } from "../../../records/messages-of.ts";
import type { RolloutRecord } from "../../../records/rollout.ts";
import type { RolloutReader } from "../../../registry/training.ts";
import { firstOf, objectIn, stateOfReason, taskIn } from "../row-values.ts";

const TEXTS = ["text", "response", "content", "messages"];

/** Scored lists: `{prompt, responses: [{text, score}]}`; each response is a rollout of the row's task. */
export const scoredResponses: RolloutReader = {
  recognises: (rows) => rows.some((row) => isObject(row) && row.prompt !== undefined && Array.isArray(row.responses)),

  rollouts(row) {
    if (!isObject(row) || !Array.isArray(row.responses)) return { problem: "there is no list of responses" };
    const prompt = messagesOf(row.prompt, "user");
    if (prompt === undefined) return { problem: "prompt is neither a text nor messages" };
    if (typeof row.system === "string" && row.system !== "") prompt.unshift({ role: "system", content: row.system });
    const tools = toolsOf(row.tools);
    const task = taskIn(row, ["task_id", "example_id", "id"]);
    const records: RolloutRecord[] = [];
    for (const [index, response] of (row.responses as unknown[]).entries()) {
      if (!isObject(response)) return { problem: `response ${index} is no object with a text and a score` };
      const completion = messagesOf(firstOf(response, TEXTS), "assistant");
      records.push({
        task,
        rollout: index,
        prompt,
        completion: completion ?? [],
        ...(tools !== undefined && { tools }),
        reward: firstOf(response, ["score", "reward"]),
        components: objectIn(response, ["scores", "rewards"]),
        state: completion === undefined ? "no_response" : stateOfReason(response.finish_reason, response.error),
        model: typeof response.model === "string" ? response.model : undefined,
      });
    }
    return records;
  },
};
