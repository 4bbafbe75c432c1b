import { canonicalJson } from "../../../lib/hash.ts";
import { isObject, messagesOf, toolsOf } from "../../../records/messages-of.ts";
import type { RolloutReader } from "../../../registry/training.ts";
import { firstOf, objectIn, stateOfReason, taskIn } from "../row-values.ts";

/**
 * Rows of `{prompt, completion, reward}` as verifiers, TRL and others write them: texts or messages, with parts of the
 * reward under `rewards`, `metrics` or `reward_components`, or as further fields.
 */
export const completions: RolloutReader = {
  recognises: (rows) => rows.some((row) => isObject(row) && row.prompt !== undefined && row.completion !== undefined),

  rollouts(row) {
    if (!isObject(row)) return { problem: "a row is an object" };
    const prompt = messagesOf(row.prompt, "user");
    if (prompt === undefined) return { problem: "prompt is neither a text nor messages" };
    const completion = row.completion === null ? [] : messagesOf(row.completion, "assistant");
    if (completion === undefined) return { problem: "completion is neither a text nor messages" };
    const tools = toolsOf(row.tools);
    const rollout = firstOf(row, ["rollout_index", "sample_index"]);
    const isCut = row.is_truncated === true || row.truncated === true;
    return [
      {
        task: taskIn(row, ["task_id", "example_id", "problem_id", "task"]),
        // The answer that was expected belongs to the task.
        variant: row.answer === undefined || row.answer === null ? undefined : canonicalJson(row.answer),
        rollout: typeof rollout === "number" ? rollout : undefined,
        prompt,
        completion,
        ...(tools !== undefined && { tools }),
        reward: firstOf(row, ["reward", "score"]),
        components: objectIn(row, ["rewards", "reward_components", "metrics"]),
        state: completion.length === 0 ? "no_response" : stateOfReason(isCut ? "length" : row.finish_reason, row.error),
        model: typeof row.model === "string" ? row.model : undefined,
      },
    ];
  },
};
