import type { Message } from "./message.ts";

/** The text of a message: its string, or its text parts one after another. */
export function textOf(message: Message): string {
  if (typeof message.content === "string") return message.content;
  return message.content.map((part) => part.text ?? "").join("");
}

/** A copy that later changes to the list or its messages do not reach: a conversation goes on, its record does not. */
export function copyMessages(messages: readonly Message[]): Message[] {
  return messages.map((message) =>
    message.tool_calls || typeof message.content !== "string" ? structuredClone(message) : { ...message },
  );
}
