import { usageError } from "../lib/errors.ts";
import type { Message, ToolCall } from "../records/message.ts";

/** A message as Hugging Face's chat templates read it. */
export interface TemplateMessage {
  role: string;
  content: string;
  name?: string;
  tool_calls?: unknown[];
  tool_call_id?: string;
  reasoning_content?: string;
}

/**
 * A message in the words of chat templates: the content as one text, arguments of calls as the object that their JSON
 * text stands for (as the text, where it is no JSON), reasoning as `reasoning_content`. `where` is for the error
 * `content_unsupported`: a part that is no text, such as an image.
 */
export function templateMessage(message: Message, where: string): TemplateMessage {
  const { role, content, name, tool_calls, tool_call_id, reasoning } = message;
  return {
    role,
    content: typeof content === "string" ? content : content.map((part) => textOfPart(part, role, where)).join(""),
    ...(name === undefined ? {} : { name }),
    ...(tool_calls === undefined ? {} : { tool_calls: tool_calls.map(templateCall) }),
    ...(tool_call_id === undefined ? {} : { tool_call_id }),
    ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
  };
}

function textOfPart(part: { type: string; text?: string | undefined }, role: string, where: string): string {
  if (part.text !== undefined) return part.text;
  throw usageError({
    code: "content_unsupported",
    where,
    what: `a message of role "${role}" has a part of type ${JSON.stringify(part.type.slice(0, 40))}, and the model reads text only`,
    fix: "leave such messages out",
  });
}

function templateCall(call: ToolCall): unknown {
  let value: unknown;
  try {
    value = JSON.parse(call.function.arguments);
  } catch {
    return call;
  }
  return typeof value === "object" && value !== null
    ? { ...call, function: { ...call.function, arguments: value } }
    : call;
}
