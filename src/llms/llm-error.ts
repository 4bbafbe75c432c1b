import { EXIT, PairwrightError } from "../lib/errors.ts";
import type { HttpError } from "../lib/http-error.ts";

/** Why a model call gave no reply. Stable: programs branch on it. */
export type LlmErrorCode = "llm_unreachable" | "llm_timeout" | "llm_status" | "llm_bad_reply" | "llm_empty_reply";

interface LlmErrorFacts {
  code: LlmErrorCode;
  /** Method and endpoint. */
  where: string;
  what: string;
  fix: string;
  status?: number | undefined;
  exit_code?: number;
  cause?: unknown;
}

/** A model call without a reply. Its words are free of keys and prompts. */
export class LlmError extends PairwrightError {
  declare readonly code: LlmErrorCode;
  /** The server's status, when it answered at all. */
  readonly status: number | undefined;

  readonly #facts: LlmErrorFacts;

  constructor(facts: LlmErrorFacts) {
    super(facts);
    this.name = "LlmError";
    this.status = facts.status;
    this.#facts = facts;
  }

  /** The same error in other words. */
  saying(what: string, fix = this.#facts.fix): LlmError {
    return new LlmError({ ...this.#facts, what, fix });
  }
}

/** No answer came: what the transport knows, in this module's codes. */
export function transportError(where: string, error: HttpError): LlmError {
  const timed = error.failure.kind === "timeout" && error.failure.phase === "reply";
  const code = error.failure.kind === "timeout" ? "llm_timeout" : "llm_unreachable";
  const bad = error.failure.kind === "too_large" || error.failure.kind === "malformed";
  return new LlmError({
    code: bad ? "llm_bad_reply" : code,
    where,
    what: error.what,
    fix: timed ? "raise request_timeout, or lower the concurrency when the server is overloaded" : (error.fix ?? ""),
    exit_code: EXIT.unreachable,
    cause: error.cause,
  });
}

/** The server answered, but with another status than 200. */
export function statusError(where: string, status: number, words: string, key_variable: string): LlmError {
  const said = words === "" ? "" : `: ${words}`;
  return new LlmError({
    code: "llm_status",
    where,
    status,
    what: `the server answered ${status}${said}`,
    fix: fixFor(status, key_variable),
    // What the configuration can mend is a usage fault; else the server is as good as not there.
    exit_code: status >= 500 || status === 408 || status === 409 || status === 429 ? EXIT.unreachable : EXIT.usage,
  });
}

function fixFor(status: number, key_variable: string): string {
  if (status === 401 || status === 403) return `set ${key_variable}, or api_key in the configuration, to a valid key`;
  if (status === 404) return "check base_url (it usually ends in /v1) and model_name";
  if (status === 429) return "lower max_concurrency, or wait until the quota is renewed";
  if (status === 408 || status === 409 || status >= 500) return "try again later, or look into the server's log";
  if (status >= 300 && status < 400) return "put the address that it redirects to into base_url";
  return "look at the model's options and extra_body: the server refuses the request as it is";
}
