import { expect, test } from "vitest";
import { EXIT, PairwrightError } from "../lib/errors.ts";
import { exitCodeOf } from "./exit-code.ts";

const FINE = { errors: {}, completed: 2, failed: 0, score_errors: {} };
const of = (result: Partial<typeof FINE>, own: number = EXIT.ok, fault?: PairwrightError) =>
  exitCodeOf({ ...FINE, ...result }, { fault, own, max_failures: 0 });

test("the gate's verdict counts more than examples that failed, and less than a fault or a server that is not there", () => {
  const failed = { failed: 1, errors: { llm_refused: 1 } };
  expect(of(failed)).toBe(EXIT.some_failed);
  expect(of(failed, EXIT.gate_failed)).toBe(EXIT.gate_failed);
  expect(of({ score_errors: { judge: 1 } }, EXIT.gate_failed)).toBe(EXIT.gate_failed);
  expect(of(failed, EXIT.no_pairs)).toBe(EXIT.some_failed);

  const gone = { completed: 0, failed: 2, errors: { llm_unreachable: 2 } };
  expect(of(gone, EXIT.gate_failed)).toBe(EXIT.unreachable);
  const fault = new PairwrightError({ code: "training_failed", what: "no", exit_code: EXIT.training_failed });
  expect(of(failed, EXIT.gate_failed, fault)).toBe(EXIT.training_failed);
});
