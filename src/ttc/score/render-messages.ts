import type { Message } from "../../records/message.ts";
import { textOf } from "../../records/message-text.ts";

/** Messages as text for a judge to read, tool calls and results included. One plain message is its bare text. */
export function renderMessages(messages: readonly Message[]): string {
  const [first, ...others] = messages;
  if (first === undefined) return "";
  if (others.length === 0 && isPlain(first)) return textOf(first);
  return messages.map((message) => `[${message.role}]\n${bodyOf(message)}`).join("\n\n");
}

function isPlain({ role, tool_calls = [] }: Message): boolean {
  return (role === "user" || role === "assistant") && tool_calls.length === 0;
}

function bodyOf(message: Message): string {
  const text = textOf(message);
  const calls = (message.tool_calls ?? []).map(
    ({ function: called }) => `(calls the tool ${called.name} with ${called.arguments})`,
  );
  return [...(text === "" ? [] : [text]), ...calls].join("\n");
}
