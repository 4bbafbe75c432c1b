import type { Clock } from "../lib/clock.ts";
import type { HttpClient, HttpResponse } from "../lib/http.ts";
import { HttpError } from "../lib/http-error.ts";
import type { Message } from "../records/message.ts";
import { LlmError, statusError, transportError } from "./llm-error.ts";
import type { ModelOptions } from "./options.ts";
import { RETRY_AFTER_CAP, retryAfter } from "./retry.ts";
import { serverWords } from "./server-words.ts";
import { parseReply, type WireReply } from "./wire-reply.ts";

const PATH = "/chat/completions";

/** How one try ended: with a reply, or with an error and whether another try may do better. */
export type Attempt =
  | { error?: undefined; reply: WireReply; text: string }
  | {
      error: LlmError;
      again: boolean;
      /** What the server asks to wait first, in ms. */
      retry_after?: number | undefined;
    };

/** One try of one request. Only the signal's abort is thrown; every other end is a value. */
export function createAttempt(
  http: HttpClient,
  options: ModelOptions,
  identity: { key: string | undefined; key_variable: string },
  clock: Pick<Clock, "now">,
): (body: string, messages: readonly Message[], signal: AbortSignal | undefined) => Promise<Attempt> {
  const where = `POST ${http.endpoint}${PATH}`;
  const secrets = secretsOf(options, identity.key);
  const statuses = new Set<number | string>(options.retry_on_status_codes);
  const phrases = options.retry_on_errors.map((phrase) => phrase.toLowerCase());

  function refused(response: HttpResponse, messages: readonly Message[]): Attempt {
    const { status, headers, text } = response;
    const error = statusError(where, status, serverWords(text, secrets, messages), identity.key_variable);
    const retry_after = retryAfter(headers, clock);
    const listed = statuses.has(status) || statuses.has(`${Math.floor(status / 100)}xx`);
    const again = status !== 400 && (listed || named(error, phrases));
    if (again && retry_after !== undefined && retry_after > RETRY_AFTER_CAP) {
      return { error: waitsTooLong(error, retry_after), again: false };
    }
    return { error, again, retry_after };
  }

  function answered({ text }: HttpResponse, messages: readonly Message[]): Attempt {
    const reply = parseReply(text);
    if ("problem" in reply) {
      const said = reply.holds_error ? `: ${serverWords(text, secrets, messages)}` : "";
      const error = new LlmError({
        code: "llm_bad_reply",
        where,
        what: `${reply.problem}${said}`,
        fix: "check that base_url is an OpenAI-compatible server, and look into its log",
      });
      return { error, again: named(error, phrases) };
    }
    if (reply.choices.length > 0) return { reply, text };
    const error = new LlmError({
      code: "llm_empty_reply",
      where,
      what: "the reply holds no choice",
      fix: "look into the server's log: it answered without generating",
    });
    return { error, again: named(error, phrases) };
  }

  return async (body, messages, signal) => {
    let response: HttpResponse;
    try {
      response = await http.request({ method: "POST", path: PATH, body, signal });
    } catch (thrown) {
      if (!(thrown instanceof HttpError)) throw thrown;
      const error = transportError(where, thrown);
      return { error, again: isConnectionFault(thrown) || named(error, phrases) };
    }
    return response.status >= 200 && response.status < 300 ? answered(response, messages) : refused(response, messages);
  };
}

/**
 * Not the time limit of a whole request: the server may still be at work on it, and asking again would double the load
 * just when it is slow. Who wants that all the same lists "no whole answer" under `retry_on_errors`.
 */
function isConnectionFault({ failure }: HttpError): boolean {
  if (failure.kind === "timeout") return failure.phase === "connect";
  return failure.kind === "unreachable" || failure.kind === "closed";
}

function named(error: LlmError, phrases: readonly string[]): boolean {
  if (phrases.length === 0) return false;
  const what = error.what.toLowerCase();
  return phrases.some((phrase) => what.includes(phrase));
}

function waitsTooLong(error: LlmError, retry_after: number): LlmError {
  const asked = Math.ceil(retry_after / 1000);
  return error.saying(
    `${error.what}; it asks to wait ${asked} s, which is longer than the ${RETRY_AFTER_CAP / 1000} s that a retry waits`,
    "lower max_concurrency, or run it again with --resume after that time",
  );
}

function secretsOf({ headers = {}, base_url }: ModelOptions, key: string | undefined): string[] {
  const { password } = new URL(base_url);
  // A short header is a word such as "true", whose removal would spoil the sentence.
  const named = Object.values(headers).filter((value) => value.length >= 8);
  return [key ?? "", password, safelyDecoded(password), ...named];
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
