import { messagesOf } from "../../records/messages-of.ts";
import type { DatasetFormat, ReadPair } from "../../registry/training.ts";
import { templateMessage } from "./chat-message.ts";
import { lostFields } from "./lost-fields.ts";
import { replyText, whyNoText } from "./reply-text.ts";
import { isRow, numberOf } from "./row-fields.ts";

/**
 * The rows of NeMo Gym's DPO tutorial, which NeMo RL reads as its `BinaryPreferenceDataset`: `{prompt, chosen, rejected,
 * chosen_reward, rejected_reward, reward_gap}`. The prompt is a text where it is one user's message, else the whole
 * list of messages; the sides are texts. NeMo RL gives no tools to the chat template, so they are lost.
 */
export const nemoRlBinary: DatasetFormat = {
  keeps_texts: true,

  prompt({ prompt }) {
    const [only] = prompt;
    if (only?.role === "user" && prompt.length === 1 && typeof only.content === "string" && only.name === undefined)
      return only.content;
    return prompt.map(templateMessage);
  },

  row(pair, options) {
    const chosen = replyText(pair.chosen);
    const rejected = replyText(pair.rejected);
    if (chosen === undefined || rejected === undefined) return { row: null, lost: whyNoText(pair) };
    const row = withRewards({ prompt: nemoRlBinary.prompt(pair, options), chosen, rejected }, pair);
    return { row, lost: lostFields(pair, { tools: true, sides: ["reasoning", "name", "content_parts"] }) };
  },

  read(row) {
    if (!isRow(row, "prompt", "chosen", "rejected")) return undefined;
    if (typeof row.chosen !== "string" || typeof row.rejected !== "string") return undefined;
    const prompt = messagesOf(row.prompt, "user");
    if (prompt === undefined) return { problem: "prompt is neither a text nor a list of messages" };
    return {
      prompt,
      chosen: [{ role: "assistant", content: row.chosen }],
      rejected: [{ role: "assistant", content: row.rejected }],
      ...numberOf("chosen_score", row.chosen_reward),
      ...numberOf("rejected_score", row.rejected_reward),
    };
  },
};

/** Adds a pair's scores, under the names that the tutorial's rows have for them. */
function withRewards(
  row: Record<string, unknown>,
  { chosen_score, rejected_score }: ReadPair,
): Record<string, unknown> {
  if (chosen_score === undefined || rejected_score === undefined) return row;
  row.chosen_reward = chosen_score;
  row.rejected_reward = rejected_score;
  row.reward_gap = chosen_score - rejected_score;
  return row;
}
