import { messagesOf } from "../../records/messages-of.ts";
import type { DatasetFormat } from "../../registry/training.ts";
import { templateMessage } from "./chat-message.ts";
import { lostFields } from "./lost-fields.ts";
import { isRow, numberOf } from "./row-fields.ts";

/**
 * NeMo RL's `PreferenceDataset`: `{context, completions: [{rank: 0, completion, reward}, {rank: 1, …}]}`, the lower rank
 * the better. NeMo RL trains the last message of a completion, and gives no tools to the chat template. A `task_name`,
 * which its guide asks for, makes its loader fail.
 */
export const nemoRlRanked: DatasetFormat = {
  prompt: ({ prompt }) => prompt.map(templateMessage),

  row(pair, options) {
    const { chosen, rejected, chosen_score, rejected_score } = pair;
    const completion = (rank: number, messages: typeof chosen, reward: number | undefined) => ({
      rank,
      completion: messages.map(templateMessage),
      ...(reward !== undefined && { reward }),
    });
    return {
      row: {
        context: nemoRlRanked.prompt(pair, options),
        completions: [completion(0, chosen, chosen_score), completion(1, rejected, rejected_score)],
      },
      lost: lostFields(pair, { tools: true }),
    };
  },

  read(row) {
    if (!isRow(row, "context", "completions")) return undefined;
    const prompt = messagesOf(row.context, "user");
    const completions: unknown[] = Array.isArray(row.completions) ? row.completions : [];
    const ranked = completions.filter((one) => isRow(one, "rank", "completion"));
    const [better, worse] = ranked.sort((a, b) => Number(a.rank) - Number(b.rank));
    if (prompt === undefined || better === undefined || worse === undefined || ranked.length !== 2) {
      return { problem: "context must be messages, and completions two of them with a rank" };
    }
    const chosen = messagesOf(better.completion, "assistant");
    const rejected = messagesOf(worse.completion, "assistant");
    if (chosen === undefined || rejected === undefined) return { problem: "a completion is no list of messages" };
    if (better.rank === worse.rank) return { problem: "both completions have one rank" };
    return {
      prompt,
      chosen,
      rejected,
      ...numberOf("chosen_score", better.reward),
      ...numberOf("rejected_score", worse.reward),
    };
  },
};
