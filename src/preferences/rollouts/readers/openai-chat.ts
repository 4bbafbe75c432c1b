import { isObject, messagesOf, toolsOf } from "../../../records/messages-of.ts";
import type { RolloutRecord } from "../../../records/rollout.ts";
import type { RolloutReader } from "../../../registry/training.ts";
import { firstOf, objectIn, stateOfReason, taskIn } from "../row-values.ts";

type Row = Record<string, unknown>;

/**
 * Logs of the OpenAI chat protocol: `messages` and `choices`, in the row or under `request` (`body`) and `response`. Each
 * choice is a rollout, with a `reward` or `score` of its own; the row's is that of a choice that is alone.
 */
export const openAiChat: RolloutReader = {
  recognises: (rows) => rows.some((row) => isObject(row) && partsOf(row) !== undefined),

  rollouts(row) {
    if (!isObject(row)) return { problem: "a log's row is an object" };
    const parts = partsOf(row);
    if (parts === undefined) return { problem: "there are no messages and choices of the chat protocol" };
    const prompt = messagesOf(parts.messages, "user");
    if (prompt === undefined) return { problem: "messages is no list of messages" };
    const tools = toolsOf(parts.request.tools);
    const { model } = parts.response;
    const of = {
      prompt,
      task: taskOf(row),
      model: typeof model === "string" ? model : undefined,
      ...(tools && { tools }),
    };
    return parts.choices.map((choice) => recordOf(of, choice, parts.choices.length === 1 ? row : {}));
  },
};

function recordOf(of: Pick<RolloutRecord, "prompt" | "task" | "model">, choice: unknown, row: Row): RolloutRecord {
  const { message, finish_reason, ...others } = isObject(choice) ? choice : {};
  const completion = message === undefined ? undefined : messagesOf(message, "assistant");
  const metadata = objectIn(row, ["metadata"]) ?? {};
  const names = ["reward", "score"];
  return {
    ...of,
    // A choice's index tells it from the others of its row, not from those of other rows.
    rollout: undefined,
    completion: completion ?? [],
    reward: firstOf(others, names) ?? firstOf(row, names) ?? firstOf(metadata, names),
    components: objectIn(others, ["rewards", "scores"]) ?? objectIn(row, ["rewards", "scores"]),
    state: completion === undefined ? "no_response" : stateOfReason(finish_reason, row.error),
  };
}

function taskOf(row: Row): string | undefined {
  const names = ["task_id", "example_id", "custom_id"];
  return taskIn(row, names) ?? taskIn(objectIn(row, ["metadata"]) ?? {}, names);
}

function partsOf(row: Row) {
  const request = objectIn(row, ["request", "body"]) ?? row;
  const response = objectIn(row, ["response"]) ?? row;
  const { messages } = request;
  const { choices } = response;
  return Array.isArray(messages) && Array.isArray(choices)
    ? { request, response, messages: messages as unknown[], choices: choices as unknown[] }
    : undefined;
}
