import type { Message } from "../../records/message.ts";
import { textOf } from "../../records/message-text.ts";
import { messagesOf } from "../../records/messages-of.ts";
import type { Completion, DatasetFormat, ReadPair } from "../../registry/training.ts";
import { isOfTool, losesParts, replyText, whyNoText } from "./reply-text.ts";
import { isRow } from "./row-fields.ts";

/** How a row's prompt is written. */
interface Options {
  use_full_message_history: boolean;
}

/**
 * Rows for DPO in NeMo Customizer: `{prompt, chosen_response, rejected_response}`. The prompt is the last message's
 * text, or all messages as `{role, content}`; the replies are texts.
 *
 * A reply that is more than one message of text (tool calls, several messages) cannot be held, nor can a call of a tool
 * or its result in the part of the prompt that is written: no row then, since a conversation without them is another
 * one. What is left out of a row that can be written is named in `lost`: `history` (all but the last message of the
 * prompt), `tools`, `reasoning`, `name`, `content_parts`. Scores and provenance are never part of this format and are not named.
 */
export const nemoCustomizer = {
  never_holds: ["scores"],

  prompt(pair: ReadPair, { use_full_message_history }: Options): string | { role: string; content: string }[] {
    if (use_full_message_history)
      return pair.prompt.map((message) => ({ role: message.role, content: textOf(message) }));
    const last = pair.prompt.at(-1);
    return last === undefined ? "" : textOf(last);
  },

  row(pair: ReadPair, options: Options): { row: Record<string, unknown> | null; lost: string[] } {
    const chosen = replyText(pair.chosen);
    const rejected = replyText(pair.rejected);
    if (chosen === undefined || rejected === undefined) return { row: null, lost: whyNoText(pair) };
    const from = keptFrom(pair, options);
    if (pair.prompt.some((message, place) => place >= from && isOfTool(message)))
      return { row: null, lost: ["tool_calls"] };
    return {
      row: { prompt: nemoCustomizer.prompt(pair, options), chosen_response: chosen, rejected_response: rejected },
      lost: lostOf(pair, options),
    };
  },

  /** `{prompt, completion}`: such a row holds of a reply what a row for DPO holds of a chosen one. */
  completionRow({ prompt, completion, tools }: Completion, options: Options): ReturnType<DatasetFormat["row"]> {
    const { row, lost } = nemoCustomizer.row({ prompt, chosen: completion, rejected: completion, tools }, options);
    return { row: row && { prompt: row.prompt, completion: row.chosen_response }, lost };
  },

  read(row: unknown): ReturnType<NonNullable<DatasetFormat["read"]>> {
    if (!isRow(row, "prompt", "chosen_response", "rejected_response")) return undefined;
    const prompt = messagesOf(row.prompt, "user");
    const { chosen_response: chosen, rejected_response: rejected } = row;
    if (prompt === undefined || typeof chosen !== "string" || typeof rejected !== "string") {
      return { problem: "prompt must be a text or a list of messages, and both responses texts" };
    }
    return {
      prompt,
      chosen: [{ role: "assistant", content: chosen }],
      rejected: [{ role: "assistant", content: rejected }],
    };
  },
};

const NOTHING: string[] = [];

/** Where the part of the prompt begins that a row holds. */
function keptFrom({ prompt }: ReadPair, { use_full_message_history }: Options): number {
  return use_full_message_history ? 0 : Math.max(0, prompt.length - 1);
}

function lostOf(pair: ReadPair, options: Options): string[] {
  const from = keptFrom(pair, options);
  const isWritten = (loses: (message: Message) => boolean) =>
    pair.prompt.some((message, place) => place >= from && loses(message)) ||
    pair.chosen.some(loses) ||
    pair.rejected.some(loses);
  // Nearly every row holds all there is.
  if (from === 0 && pair.tools === undefined && !isWritten(losesAnything)) return NOTHING;
  const lost: string[] = [];
  if (from > 0) lost.push("history");
  if (pair.tools !== undefined) lost.push("tools");
  if (isWritten(({ reasoning }) => reasoning !== undefined)) lost.push("reasoning");
  if (isWritten(({ name }) => name !== undefined)) lost.push("name");
  if (isWritten(losesParts)) lost.push("content_parts");
  return lost;
}

const losesAnything = (message: Message) =>
  message.reasoning !== undefined || message.name !== undefined || losesParts(message);
