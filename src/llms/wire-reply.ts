import { ContentPart, type Message, ToolCall } from "../records/message.ts";
import { textOf } from "../records/message-text.ts";
import type { Choice } from "../registry/chat-model.ts";

/** What a server's answer holds, of what is used. */
export interface WireReply {
  /** Undefined when the server does not say. */
  model: string | undefined;
  choices: Choice[];
  /** As the server sent it: `usageOf` reads it. */
  usage: unknown;
}

/** Why an answer is no chat completion; `holds_error` when the server put an error of its own into it. */
export interface BadReply {
  problem: string;
  holds_error: boolean;
}

/** The answer's parts, or in words why it is not a chat completion. Lenient: only what is used must be right. */
export function parseReply(text: string): WireReply | BadReply {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad("the reply is not JSON");
  }
  if (!isObject(value)) return bad("the reply is not a JSON object");
  if (!Array.isArray(value.choices)) {
    const holds_error = value.error !== undefined && value.error !== null;
    return bad(holds_error ? "the reply holds an error instead of choices" : "the reply has no choices", holds_error);
  }
  const choices: Choice[] = [];
  for (const wired of value.choices as unknown[]) {
    const choice = parseChoice(wired);
    if (choice === undefined) return bad(`choice ${choices.length} of the reply is not an assistant's message`);
    choices.push(choice);
  }
  return { model: typeof value.model === "string" ? value.model : undefined, choices, usage: value.usage };
}

function bad(problem: string, holds_error = false): BadReply {
  return { problem, holds_error };
}

function parseChoice(wired: unknown): Choice | undefined {
  if (!isObject(wired) || !isObject(wired.message)) return undefined;
  const { message: said, finish_reason, logprobs } = wired;
  const content = contentOf(said.content);
  const tool_calls = toolCallsOf(said.tool_calls);
  if (content === undefined || tool_calls === undefined) return undefined;
  const refused = typeof said.refusal === "string" && said.refusal !== "" ? said.refusal : undefined;
  const message: Message = { role: "assistant", content: refused !== undefined && content === "" ? refused : content };
  if (tool_calls.length > 0) message.tool_calls = tool_calls;
  const reasoning = said.reasoning_content ?? said.reasoning;
  if (typeof reasoning === "string" && reasoning !== "") message.reasoning = reasoning;
  const choice: Choice = {
    message,
    text: refused ?? (typeof content === "string" ? content : textOf(message)),
    finish_reason: typeof finish_reason === "string" ? finish_reason : null,
    refusal: refused !== undefined,
  };
  if (logprobs !== undefined && logprobs !== null) choice.logprobs = logprobs;
  return choice;
}

/** null and absent are the empty text: a reply cut off while it still reasoned, or one that only calls tools. */
function contentOf(content: unknown): Message["content"] | undefined {
  if (typeof content === "string") return content;
  if (content === null || content === undefined) return "";
  const parts = ContentPart.array().safeParse(content);
  return parts.success ? parts.data : undefined;
}

function toolCallsOf(calls: unknown): ToolCall[] | undefined {
  if (calls === null || calls === undefined) return [];
  if (!Array.isArray(calls)) return undefined;
  const parsed: ToolCall[] = [];
  for (const call of calls as unknown[]) {
    const result = ToolCall.safeParse(withTextArguments(call));
    if (!result.success) return undefined;
    parsed.push(result.data);
  }
  return parsed;
}

/** Some servers send the arguments as an object, where the protocol has JSON text. */
function withTextArguments(call: unknown): unknown {
  if (!isObject(call) || !isObject(call.function)) return call;
  const { arguments: given } = call.function;
  if (typeof given === "string") return call;
  return { ...call, function: { ...call.function, arguments: given == null ? "" : JSON.stringify(given) } };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
