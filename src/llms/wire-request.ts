import { canonicalJson } from "../lib/hash.ts";
import type { Message } from "../records/message.ts";
import type { ChatOptions } from "../registry/chat-model.ts";
import type { ModelOptions } from "./options.ts";

/** A request as it goes out. */
export interface WireRequest {
  /** The fields. */
  request: Readonly<Record<string, unknown>>;
  /** JSON. Members stand in one fixed order, those of tools and other given objects in the order they were given in. */
  body: string;
  /** The same with every member sorted where the caller could have ordered them otherwise: equal requests, equal text. */
  canonical: string;
}

/** The request for these messages: what the call says, else what the model's configuration says. */
export function wireRequest(configured: ModelOptions, messages: readonly Message[], options: ChatOptions): WireRequest {
  let ordered = true;
  const wired = messages.map((message) => {
    if (message.tool_calls !== undefined || typeof message.content !== "string") ordered = false;
    return wireMessage(message);
  });
  const { tools, tool_choice, response_format, seeds } = options;
  const extra = configured.extra_body !== undefined || options.extra_body !== undefined;
  if (extra || tools !== undefined || tool_choice !== undefined || response_format !== undefined) ordered = false;
  const request: Record<string, unknown> = {
    model: configured.model_name,
    messages: wired,
    temperature: options.temperature ?? configured.temperature,
    top_p: options.top_p ?? configured.top_p,
    max_tokens: options.max_tokens ?? configured.max_tokens,
    seed: options.seed ?? seeds?.[0] ?? configured.seed ?? options.fallback_seed,
    n: options.n ?? seeds?.length ?? configured.n,
    stop: options.stop ?? configured.stop,
    logprobs: options.logprobs,
    top_logprobs: options.top_logprobs,
    tools,
    tool_choice,
    response_format,
    // Where calls that differ in their seed can be one, the server takes a seed for each choice.
    pairwright: seeds !== undefined && configured.merge_calls ? { seeds } : undefined,
  };
  if (extra) Object.assign(request, configured.extra_body, options.extra_body);
  const body = JSON.stringify(request);
  return { request, body, canonical: ordered ? body : canonicalJson(request) };
}

// `reasoning` stays here: servers refuse it or take it for part of the answer.
function wireMessage({ role, content, name, tool_calls, tool_call_id }: Message): Record<string, unknown> {
  return {
    role,
    // An assistant that only calls tools said nothing, which the protocol writes as null.
    content: content === "" && tool_calls !== undefined ? null : content,
    name,
    tool_calls,
    tool_call_id,
  };
}
