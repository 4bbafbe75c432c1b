import type { Clock } from "../lib/clock.ts";
import { createGate } from "../lib/gate.ts";
import { sha256 } from "../lib/hash.ts";
import { createHttpClient, type HttpClientOptions } from "../lib/http.ts";
import type { Logger } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Message } from "../records/message.ts";
import type { ChatModel, ChatOptions, Completion } from "../registry/chat-model.ts";
import { type Attempt, createAttempt } from "./chat-attempt.ts";
import type { LlmError } from "./llm-error.ts";
import { type Call, mergeCalls } from "./merge-calls.ts";
import type { ModelOptions } from "./options.ts";
import type { ResponseCache } from "./response-cache.ts";
import { backoff, RETRY_AFTER_CAP } from "./retry.ts";
import { usageOf } from "./usage-of.ts";
import { parseReply, type WireReply } from "./wire-reply.ts";
import { wireRequest } from "./wire-request.ts";

/** What a client works with besides its options. */
export interface ClientServices {
  /** Absent with `--no-cache`. */
  cache?: ResponseCache | undefined;
  clock: Clock;
  /** For the jitter of retries; it decides nothing of the results. */
  random: Random;
  log: Logger;
}

export interface ClientIdentity {
  /** Its key under `llms:`. */
  name: string;
  /** Sent as a bearer token; without one no authorization is sent, which suits a local server. */
  key: string | undefined;
  /** The environment's variable to name when the server wants a key. */
  key_variable: string;
}

/** A chat model behind an OpenAI-compatible server. */
export function createChatClient(
  options: ModelOptions,
  identity: ClientIdentity,
  { cache, clock, random, log }: ClientServices,
): ChatModel {
  const http = createHttpClient(httpOptions(options, identity.key));
  const attempt = createAttempt(http, options, identity, clock);
  const gate = options.max_concurrency === undefined ? undefined : createGate(options.max_concurrency);
  const retries = options.do_auto_retry ? (options.max_retries ?? options.num_retries ?? 5) : 0;

  /** Tries until there is a reply, or an error that is final. A wait between two tries holds no place of the gate. */
  async function ask(body: string, messages: readonly Message[], signal: AbortSignal | undefined) {
    for (let tries = 1; ; tries += 1) {
      const once = () => attempt(body, messages, signal);
      const outcome = await (gate === undefined ? once() : gate.run(once, signal));
      if (outcome.error === undefined) return outcome;
      if (!outcome.again || tries > retries) throw finalError(outcome.error, tries);
      const wait = waitBefore(outcome, tries, random);
      log.debug(
        `${identity.name}: ${outcome.error.what}; try ${tries + 1} of ${retries + 1} in ${Math.round(wait)} ms`,
      );
      await clock.sleep(wait, signal);
    }
  }

  const send = options.merge_calls
    ? mergeCalls(ask)
    : ({ body, messages, signal }: Call) => ask(body, messages, signal);

  return {
    name: identity.name,
    model_name: options.model_name,
    async chat(messages: readonly Message[], call: ChatOptions = {}): Promise<Completion> {
      call.signal?.throwIfAborted();
      const { canonical, ...request } = wireRequest(options, messages, call);
      const key = cache === undefined ? "" : sha256(`${http.endpoint}\n${call.sample_index ?? ""}\n${canonical}`);
      const stored = cache === undefined ? undefined : fromCache(cache, key);
      if (stored !== undefined) return completionOf(stored, options, true);

      const { reply, text } = await send({ ...request, messages, signal: call.signal });
      cache?.put(key, text);
      return completionOf(reply, options, false);
    },
    close: () => http.close(),
  };
}

/** How every request to a model's server is sent. */
export function httpOptions(options: ModelOptions, key: string | undefined): HttpClientOptions {
  return {
    base_url: options.base_url,
    headers: {
      Accept: "application/json",
      ...(key !== undefined && { Authorization: `Bearer ${key}` }),
      ...options.headers,
    },
    timeout_ms: options.request_timeout * 1000,
    verify_ssl: options.verify_ssl,
  };
}

function fromCache(cache: ResponseCache, key: string): WireReply | undefined {
  const text = cache.get(key);
  if (text === undefined) return undefined;
  const reply = parseReply(text);
  // A segment damaged on the disk is a miss, not a fault of the run.
  return "problem" in reply || reply.choices.length === 0 ? undefined : reply;
}

function completionOf(reply: WireReply, { model_name, price }: ModelOptions, cached: boolean): Completion {
  const { choices } = reply;
  const [first] = choices;
  // `attempt` and `fromCache` let none through without a choice.
  if (first === undefined) throw new RangeError("a reply without choices");
  const usage = usageOf(reply.usage, cached ? undefined : price);
  if (cached) usage.cached_calls = 1;
  const { message, text, finish_reason, refusal, logprobs } = first;
  // Written out: spreading `first` would take a tenth of a call's time.
  const completion: Completion = {
    message,
    text,
    finish_reason,
    refusal,
    choices,
    model: reply.model ?? model_name,
    usage,
    cached,
  };
  if (logprobs !== undefined) completion.logprobs = logprobs;
  return completion;
}

function waitBefore({ retry_after }: Extract<Attempt, { error: LlmError }>, tries: number, random: Random): number {
  return Math.max(backoff(tries - 1, random), Math.min(retry_after ?? 0, RETRY_AFTER_CAP));
}

function finalError(error: LlmError, tries: number): LlmError {
  return tries === 1 ? error : error.saying(`${error.what} (tried ${tries} times)`);
}
