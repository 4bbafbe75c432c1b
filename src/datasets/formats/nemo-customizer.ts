import { z } from "zod";
import type { Message } from "../../records/message.ts";
import { textOf } from "../../records/message.ts";
import type { UnsplitPair } from "../../records/pair.ts";

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
  prompt(pair: UnsplitPair, { use_full_message_history }: Options): string | { role: string; content: string }[] {
    if (use_full_message_history)
      return pair.prompt.map((message) => ({ role: message.role, content: textOf(message) }));
    const last = pair.prompt.at(-1);
    return last === undefined ? "" : textOf(last);
  },

  row(pair: UnsplitPair, options: Options): { row: Record<string, unknown> | null; lost: string[] } {
    const chosen = replyText(pair.chosen);
    const rejected = replyText(pair.rejected);
    if (chosen === undefined || rejected === undefined) return { row: null, lost: whyNoRow(pair) };
    if (keptOf(pair, options).some(isOfTool)) return { row: null, lost: ["tool_calls"] };
    return {
      row: { prompt: nemoCustomizer.prompt(pair, options), chosen_response: chosen, rejected_response: rejected },
      lost: lostOf(pair, options),
    };
  },
};

/** `nemo-customizer` as it stands in the table of components. */
export const nemoCustomizerComponent = {
  description: "rows for NeMo Customizer: prompt, chosen_response, rejected_response",
  options: z.strictObject({}),
  build: () => nemoCustomizer,
};

function replyText(reply: readonly Message[]): string | undefined {
  const [only, ...others] = reply;
  if (only === undefined || others.length > 0 || isOfTool(only)) return undefined;
  return textOf(only);
}

function whyNoRow({ chosen, rejected }: UnsplitPair): string[] {
  const replies = [...chosen, ...rejected];
  return replies.some(isOfTool) ? ["tool_calls"] : ["several_messages"];
}

const NOTHING: string[] = [];

/** Whether a message is a call of a tool or the result of one. */
function isOfTool({ role, tool_calls, tool_call_id }: Message): boolean {
  return tool_calls !== undefined || tool_call_id !== undefined || role === "tool";
}

/** The part of the prompt that a row holds. */
function keptOf({ prompt }: UnsplitPair, { use_full_message_history }: Options): readonly Message[] {
  return use_full_message_history ? prompt : prompt.slice(-1);
}

function lostOf(pair: UnsplitPair, options: Options): string[] {
  const lost: string[] = [];
  if (!options.use_full_message_history && pair.prompt.length > 1) lost.push("history");
  if (pair.tools !== undefined) lost.push("tools");
  const written = [...keptOf(pair, options), ...pair.chosen, ...pair.rejected];
  if (written.some(({ reasoning }) => reasoning !== undefined)) lost.push("reasoning");
  if (written.some(({ name }) => name !== undefined)) lost.push("name");
  if (written.some(({ content }) => typeof content !== "string" && content.some(isNotText))) lost.push("content_parts");
  return lost.length === 0 ? NOTHING : lost;
}

const isNotText = ({ type, text }: { type: string; text?: string | undefined }) =>
  type !== "text" || text === undefined;
