import { PairwrightError } from "../../lib/errors.ts";
import { HttpFault } from "../http/http-fault.ts";
import { badParameter } from "./refused-fields.ts";

/** What a client can mend, and which field it is in. */
const CLIENTS: Record<string, (error: PairwrightError) => string> = {
  bad_request: ({ where }) => where ?? "prompt",
  prompt_too_long: () => "max_tokens",
  template_failed: () => "messages",
  template_missing: () => "messages",
  content_unsupported: () => "messages",
};

/** The model is gone, and comes back for the next request. */
const PASSING = ["generator_closed", "model_died", "adapter_not_found"];

/** An error of loading or running a model as an answer, without this machine's paths; what is none of these stays what it is. */
export function inferenceFault(error: unknown): unknown {
  if (!PairwrightError.is(error)) return error;
  const field = CLIENTS[error.code];
  if (field) return badParameter(field(error), error.fix ? `${error.what}; ${error.fix}` : error.what);
  if (PASSING.includes(error.code)) {
    return new HttpFault(503, "the model has stopped; it is loaded again for the next request", { "retry-after": "1" });
  }
  return new HttpFault(503, `the model cannot be loaded: ${error.what}`, { "x-should-retry": "false" }, error);
}
