import type { Message, Tool } from "../records/message.ts";
import type { Usage } from "../records/usage.ts";

/** What one call may set, over what the configuration of the model says. Names are the OpenAI chat protocol's. */
export interface ChatOptions {
  temperature?: number | undefined;
  top_p?: number | undefined;
  max_tokens?: number | undefined;
  /** Passed on where the server takes one; a provider may not promise that it decides everything. */
  seed?: number | undefined;
  /** Taken when neither this call nor the model's configuration has a seed; a run gives every call one of its own. */
  fallback_seed?: number | undefined;
  /** How many replies to draw in one call; `choices` of the completion holds all of them. */
  n?: number | undefined;
  /**
   * A seed for each of `n` replies. The embedded platform draws each as the reply of a request of its own with that seed; another
   * server is sent the first one, and draws as it likes.
   */
  seeds?: readonly number[] | undefined;
  stop?: string | string[] | undefined;
  logprobs?: boolean | undefined;
  top_logprobs?: number | undefined;
  tools?: Tool[] | undefined;
  tool_choice?: unknown;
  response_format?: unknown;
  /** Further fields of the request, passed through as they are. */
  extra_body?: Record<string, unknown> | undefined;
  /** Tells equal requests apart in the response cache: the how-many-th draw of the same question this is. */
  sample_index?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** One reply. */
export interface Choice {
  /** The assistant's message. */
  message: Message;
  text: string;
  /** `stop`, `length` (cut off), `tool_calls`, `content_filter`, or what else the server says. */
  finish_reason: string | null;
  /** True when the server marked the reply as a refusal. */
  refusal: boolean;
  logprobs?: unknown;
}

/** The answer to one call: the first reply, and all of them in `choices`. */
export interface Completion extends Choice {
  choices: Choice[];
  /** The model's name as the server gave it. */
  model: string;
  usage: Usage;
  /** Whether the response cache answered. */
  cached: boolean;
}

/** A chat model. Safe to call many times at once. */
export interface ChatModel {
  /** Its key under `llms:`. */
  readonly name: string;
  /** What the server is asked for. */
  readonly model_name: string;
  /**
   * One request. Throws a PairwrightError (`code` `llm_…`) naming endpoint and status when no reply could be had;
   * a reply that was cut off or refused is no error. The signal's own abort passes through untouched.
   */
  chat(messages: readonly Message[], options?: ChatOptions): Promise<Completion>;
  /** Frees what it holds, such as sockets. */
  close?(): Promise<void> | void;
}
