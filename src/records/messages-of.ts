import type { ContentPart, Message, Tool, ToolCall } from "./message.ts";

const ROLES: ReadonlySet<unknown> = new Set(["system", "developer", "user", "assistant", "tool"]);

/**
 * A prompt or a reply as somebody recorded it, as messages: a text becomes one message of `role`, a message or a list
 * of messages is taken over with the fields that a `Message` has. `undefined` when it is none of these: an object of
 * another kind is never made into text.
 */
export function messagesOf(value: unknown, role: "user" | "assistant"): Message[] | undefined {
  if (typeof value === "string") return [{ role, content: value }];
  if (!Array.isArray(value)) {
    const one = messageOf(value);
    return one === undefined ? undefined : [one];
  }
  const messages: Message[] = [];
  for (const item of value) {
    const message = messageOf(item);
    if (message === undefined) return undefined;
    messages.push(message);
  }
  return messages;
}

/** The tools of a record; `undefined` when there are none or they are not what the chat protocol has. */
export function toolsOf(value: unknown): Tool[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  return value.every((tool) => isObject(tool) && isObject(tool.function)) ? (value as Tool[]) : undefined;
}

/** The same, also where they stand as JSON in a text, as in tables whose rows must all have one type. */
export function toolsIn(value: unknown): Tool[] | undefined {
  if (typeof value !== "string") return toolsOf(value);
  try {
    return toolsOf(JSON.parse(value));
  } catch {
    return undefined;
  }
}

/** Whether a value is an object, and no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function messageOf(value: unknown): Message | undefined {
  if (!isObject(value) || !ROLES.has(value.role)) return undefined;
  const content = contentOf(value.content);
  if (content === undefined) return undefined;
  const message: Message = { role: value.role as Message["role"], content };
  if (typeof value.name === "string") message.name = value.name;
  if (value.tool_calls !== undefined && value.tool_calls !== null) {
    const calls = toolCallsOf(value.tool_calls);
    if (calls === undefined) return undefined;
    if (calls.length > 0) message.tool_calls = calls;
  }
  if (typeof value.tool_call_id === "string") message.tool_call_id = value.tool_call_id;
  const reasoning = value.reasoning ?? value.reasoning_content;
  if (typeof reasoning === "string" && reasoning !== "") message.reasoning = reasoning;
  return message;
}

function contentOf(content: unknown): Message["content"] | undefined {
  if (typeof content === "string") return content;
  // An assistant that only calls tools has no content in the chat protocol.
  if (content === null || content === undefined) return "";
  if (!Array.isArray(content)) return undefined;
  return content.every((part) => isObject(part) && typeof part.type === "string")
    ? (content as ContentPart[])
    : undefined;
}

function toolCallsOf(value: unknown): ToolCall[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const calls: ToolCall[] = [];
  for (const item of value) {
    if (!isObject(item) || !isObject(item.function) || typeof item.function.name !== "string") return undefined;
    const given = item.function.arguments;
    // Some servers give the arguments parsed; the protocol has them as text.
    const text = typeof given === "string" ? given : given === undefined ? "{}" : JSON.stringify(given);
    calls.push({
      ...(typeof item.id === "string" && { id: item.id }),
      type: "function",
      function: { name: item.function.name, arguments: text },
    });
  }
  return calls;
}
