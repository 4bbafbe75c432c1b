import type { IncomingMessage } from "node:http";
import type { Message, Tool } from "../records/message.ts";
import { textOf } from "../records/message-text.ts";
import { type Fault, faultyChoice } from "./model-server-fault.ts";

/** The body of a chat request, as far as a double looks at it. */
export interface ModelRequest extends Record<string, unknown> {
  model: string;
  messages: Message[];
  seed?: number;
  temperature?: number;
  n?: number;
  tools?: Tool[];
}

/** What else there is to know about a request. */
export interface ModelCall {
  /** From 0, in the order of arrival. */
  call: number;
  /** From 0 to `n` - 1: which of the choices of this request is asked for. */
  choice_index: number;
  headers: IncomingMessage["headers"];
}

/**
 * A reply's text, or more of it: members of the assistant's message (`content`, `tool_calls`, `refusal`,
 * `reasoning_content`), and `finish_reason`, `logprobs` and `usage` (null leaves it out), which stand outside the
 * message on the wire. An object with `choices` is the whole body, sent as it is.
 */
export type ModelReply = string | Record<string, unknown>;

/** Called once a choice, the next when it has answered. Draw on `request.seed` and nothing else, and a run can be repeated. */
export type ReplyFunction = (request: ModelRequest, call: ModelCall) => ModelReply | Promise<ModelReply>;

/** A chat request's body; undefined when it is none. */
export function parseModelRequest(text: string): ModelRequest | undefined {
  try {
    const value = JSON.parse(text) as Partial<ModelRequest> | null;
    return typeof value?.model === "string" && Array.isArray(value.messages) ? (value as ModelRequest) : undefined;
  } catch {
    return undefined;
  }
}

/** The JSON of a whole answer: as many choices as were asked for, and the usage. */
export async function completionBody(
  request: ModelRequest,
  call: Omit<ModelCall, "choice_index">,
  reply: ReplyFunction,
  fault: Fault | null,
): Promise<string> {
  const choices: unknown[] = [];
  let characters = 0;
  let told: unknown;
  for (let choice_index = 0; choice_index < (request.n ?? 1); choice_index += 1) {
    const given = await reply(request, { ...call, choice_index });
    if (typeof given === "object" && "choices" in given) return JSON.stringify(given);
    const { finish_reason, logprobs, usage, ...members } = typeof given === "string" ? { content: given } : given;
    const plain: Record<string, unknown> = { role: "assistant", content: null, ...members };
    const { message, finish_reason: forced } = fault === null ? { message: plain } : faultyChoice(fault, plain);
    choices.push({
      index: choice_index,
      message,
      finish_reason: forced ?? finish_reason ?? ("tool_calls" in message ? "tool_calls" : "stop"),
      ...(logprobs !== undefined && { logprobs }),
    });
    characters += JSON.stringify(message.content ?? "").length - 2;
    told ??= usage === null ? false : usage;
  }
  return JSON.stringify({
    id: `chatcmpl-${call.call}`,
    object: "chat.completion",
    created: 0,
    model: request.model,
    choices: fault?.kind === "empty_choices" ? [] : choices,
    ...(told !== false && { usage: told ?? countedUsage(request, characters) }),
  });
}

function countedUsage(request: ModelRequest, characters: number) {
  let asked = 0;
  for (const message of request.messages) asked += message.content === null ? 0 : textOf(message).length;
  const prompt_tokens = Math.ceil(asked / 4);
  const completion_tokens = Math.ceil(characters / 4);
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}
