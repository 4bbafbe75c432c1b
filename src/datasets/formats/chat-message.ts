import type { Message, ToolCall } from "../../records/message.ts";

/**
 * A message as chat templates of Hugging Face take it: `developer` is `system`, since most know no such role; arguments
 * of calls are objects, since templates write them as JSON once more; thoughts are `reasoning_content`; and nothing is
 * null.
 */
export function templateMessage(message: Message): Record<string, unknown> {
  const { role, content, name, tool_calls, tool_call_id, reasoning } = message;
  return {
    role: role === "developer" ? "system" : role,
    content,
    ...(name !== undefined && { name }),
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(tool_calls !== undefined && { tool_calls: tool_calls.map(parsedCall) }),
    ...(tool_call_id !== undefined && { tool_call_id }),
  };
}

function parsedCall({ id, function: called }: ToolCall): Record<string, unknown> {
  const { name, arguments: given } = called;
  return {
    ...(id !== undefined && { id }),
    type: "function",
    function: { name, arguments: exactObject(given) ?? given },
  };
}

/** The object that a text is in JSON; `undefined` where it is none, or where writing it again would give another value. */
function exactObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return JSON.stringify(value) === withoutSpace(text) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function withoutSpace(json: string): string {
  return json.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, (_, quoted: string | undefined) => quoted ?? "");
}
