import type { Message } from "../../records/message.ts";
import { textOf } from "../../records/message-text.ts";
import type { ReadPair } from "../../registry/training.ts";

type Replies = Pick<ReadPair, "chosen" | "rejected">;

/** A reply that is one message of text; `undefined` when it is more than that. */
export function replyText(reply: readonly Message[]): string | undefined {
  const [only] = reply;
  if (only === undefined || reply.length > 1 || isOfTool(only)) return undefined;
  return textOf(only);
}

/** What keeps replies from being texts. */
export function whyNoText({ chosen, rejected }: Replies): string[] {
  const replies = [...chosen, ...rejected];
  return replies.some(isOfTool) ? ["tool_calls"] : ["several_messages"];
}

/** Whether a message is a call of a tool or the result of one. */
export function isOfTool({ role, tool_calls, tool_call_id }: Message): boolean {
  return tool_calls !== undefined || tool_call_id !== undefined || role === "tool";
}

/** Whether there is more in a message's content than text. */
export function losesParts({ content }: Message): boolean {
  return typeof content !== "string" && content.some(isNotText);
}

const isNotText = ({ type, text }: { type: string; text?: string | undefined }) =>
  type !== "text" || text === undefined;
