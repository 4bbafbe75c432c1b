import { canonicalJson } from "../../../lib/hash.ts";
import type { Message } from "../../../records/message.ts";
import { isObject, messagesOf } from "../../../records/messages-of.ts";
import type { RolloutState } from "../../../records/rollout.ts";
import type { RolloutReader } from "../../../registry/training.ts";
import { objectIn, stateOfReason } from "../row-values.ts";

type Row = Record<string, unknown>;

/**
 * Results of promptfoo, as its `.jsonl` has them or the `results.results` of its `.json`: one prompt of one test, as one
 * provider answered it. Tests are tasks; repeats and providers are their rollouts.
 */
export const promptfoo: RolloutReader = {
  recognises: (rows) => rows.some((row) => isObject(row) && isResult(row)),

  rollouts(row) {
    if (!isObject(row) || !isResult(row)) return { problem: "this is no result of promptfoo" };
    const response = objectIn(row, ["response"]);
    const completion = completionOf(response?.output);
    const provider = objectIn(row, ["provider"])?.id;
    return [
      {
        task: taskOf(row),
        rollout: undefined,
        prompt: promptIn(String(row.prompt.raw)),
        completion: completion ?? [],
        reward: row.score,
        components: objectIn(row, ["namedScores"]),
        state: stateOf(row, response, completion),
        model: typeof provider === "string" ? provider : undefined,
      },
    ];
  },
};

/** promptfoo writes an assertion that failed under `error`, too; 2 is its sign of a call that failed. */
function stateOf(row: Row, response: Row | undefined, completion: Message[] | undefined): RolloutState {
  if (row.failureReason === 2) return "errored";
  if (response?.output === undefined || response.output === null) return "no_response";
  return completion === undefined ? "unsupported_item" : stateOfReason(response.finishReason, undefined);
}

function isResult(row: Row): row is Row & { prompt: Row } {
  return (
    isObject(row.prompt) && typeof row.prompt.raw === "string" && (row.score !== undefined || row.success !== undefined)
  );
}

function taskOf({ testIdx, vars }: Row): string | undefined {
  if (testIdx === undefined && !isObject(vars)) return undefined;
  return canonicalJson([testIdx ?? null, isObject(vars) ? vars : null]);
}

/** A prompt for a chat model is the JSON of its messages. */
function promptIn(raw: string): Message[] {
  if (!raw.trimStart().startsWith("[")) return [{ role: "user", content: raw }];
  try {
    const messages = messagesOf(JSON.parse(raw), "user");
    if (messages !== undefined && messages.length > 0) return messages;
  } catch {
    // A text that begins with a bracket.
  }
  return [{ role: "user", content: raw }];
}

/** A text, or the calls that an answer is; an object of another kind is never made into text. */
function completionOf(output: unknown): Message[] | undefined {
  if (typeof output === "string") return [{ role: "assistant", content: output }];
  if (Array.isArray(output) && output.length > 0 && output.every((call) => isObject(call) && isObject(call.function))) {
    return messagesOf({ role: "assistant", content: null, tool_calls: output }, "assistant");
  }
  return isObject(output) && output.role === "assistant" ? messagesOf(output, "assistant") : undefined;
}
