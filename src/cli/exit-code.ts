import { EXIT, type PairwrightError } from "../lib/errors.ts";
import type { EvaluateResult } from "../pipeline/evaluate.ts";

/** Codes of errors that say: nobody answered there. */
const UNREACHABLE = new Set(["llm_unreachable", "llm_timeout", "http_unreachable", "http_timeout", "http_tls"]);

/**
 * The exit code of a command that played examples. `own` is what the command itself makes of the result: the verdict of a gate
 * that was asked for counts more than examples that failed on the way, which are told all the same.
 */
export function exitCodeOf(
  { errors, completed, failed, score_errors }: Pick<EvaluateResult, "errors" | "completed" | "failed" | "score_errors">,
  { fault, own, max_failures }: { fault: PairwrightError | undefined; own: number; max_failures: number },
): number {
  if (fault) return fault.exit_code;
  const unreachable = Object.keys(errors).every((code) => UNREACHABLE.has(code));
  if (completed === 0 && failed > 0 && unreachable) return EXIT.unreachable;
  if (own === EXIT.gate_failed) return own;
  if (failed > max_failures || Object.keys(score_errors).length > 0) return EXIT.some_failed;
  return own;
}
