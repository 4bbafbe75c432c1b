import { PairwrightError } from "../../lib/errors.ts";

/** The end of every request that a closed model was still to answer. */
export function closedError(): PairwrightError {
  return new PairwrightError({ code: "generator_closed", what: "the model was closed while a request waited for it" });
}
