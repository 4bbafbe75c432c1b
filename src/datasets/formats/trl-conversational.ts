import { messagesOf, toolsIn } from "../../records/messages-of.ts";
import type { BrokenRollout } from "../../records/rollout.ts";
import type { DatasetFormat, ReadPair } from "../../registry/training.ts";
import { templateMessage } from "./chat-message.ts";
import { lostFields } from "./lost-fields.ts";
import { isRow } from "./row-fields.ts";

/**
 * TRL's conversational format: `{prompt, chosen, rejected, tools?}`, lists of messages. TRL trains everything after the
 * prompt, results of tools too. `tools` is JSON in a text, so that every row of a table has the same type.
 */
export const trlConversational: DatasetFormat = {
  never_holds: ["scores"],

  prompt: ({ prompt }) => prompt.map(templateMessage),

  row(pair) {
    const row = {
      prompt: pair.prompt.map(templateMessage),
      chosen: pair.chosen.map(templateMessage),
      rejected: pair.rejected.map(templateMessage),
      ...(pair.tools !== undefined && { tools: JSON.stringify(pair.tools) }),
    };
    return { row, lost: lostFields(pair, {}) };
  },

  read(row) {
    if (!isRow(row, "chosen", "rejected") || !Array.isArray(row.chosen) || !Array.isArray(row.rejected))
      return undefined;
    const chosen = messagesOf(row.chosen, "assistant");
    const rejected = messagesOf(row.rejected, "assistant");
    const prompt = row.prompt === undefined ? [] : messagesOf(row.prompt, "user");
    if (prompt === undefined || chosen === undefined || rejected === undefined) {
      return { problem: "prompt, chosen and rejected must be lists of messages" };
    }
    const tools = toolsIn(row.tools);
    return splitWhole({ prompt, chosen, rejected, ...(tools !== undefined && { tools }) });
  },
};

/** Without a prompt of its own a row holds whole conversations: what they have in common is the prompt. */
function splitWhole(pair: ReadPair): ReadPair | BrokenRollout {
  if (pair.prompt.length > 0) return pair;
  const { chosen, rejected } = pair;
  const end = Math.min(chosen.length, rejected.length) - 1;
  let shared = 0;
  while (shared < end && JSON.stringify(chosen[shared]) === JSON.stringify(rejected[shared])) shared += 1;
  if (shared === 0) return { problem: "there is no prompt, and the two conversations begin differently" };
  return { ...pair, prompt: chosen.slice(0, shared), chosen: chosen.slice(shared), rejected: rejected.slice(shared) };
}
