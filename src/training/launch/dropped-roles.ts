import type { Message } from "../../records/message.ts";
import { textOf } from "../../records/message-text.ts";
import type { LaunchRow } from "./launch-row.ts";

/**
 * What of messages and tools does not stand in the text that a chat template made of it: roles of messages whose text is missing, `calls`
 * for calls of tools, `tools` for the tools themselves. Thoughts are left out by many templates on purpose, and count for
 * nothing.
 */
export function droppedRoles(messages: readonly Message[], tools: LaunchRow["tools"], text: string): string[] {
  const dropped = new Set<string>();
  for (const message of messages) {
    if (!holds(text, spoken(message))) dropped.add(message.role);
    const calls = message.tool_calls ?? [];
    if (calls.some((call) => !text.includes(call.function.name))) dropped.add("calls");
  }
  if (tools?.some((tool) => !text.includes(tool.function.name))) dropped.add("tools");
  return [...dropped];
}

function spoken(message: Message): string {
  const text = textOf(message);
  return (message.role === "assistant" ? (text.split("</think>").at(-1) ?? "") : text).trim();
}

/** As it stands, as a JSON text, or at least every word of it: templates trim, escape and set in frames. */
function holds(text: string, part: string): boolean {
  if (text.includes(part) || text.includes(JSON.stringify(part).slice(1, -1))) return true;
  return (part.match(/[\p{L}\p{N}]{3,}/gu) ?? [part]).every((word) => text.includes(word));
}
