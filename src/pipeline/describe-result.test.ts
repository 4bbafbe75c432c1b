import { expect, test } from "vitest";
import { faultOfPairs } from "./describe-result.ts";
import type { PairsSummary } from "./pairs/build-pairs.ts";

function fault(skipped: Record<string, number>, turns = 3) {
  const summary = {
    training_type: "dpo",
    pairs: 0,
    training: 0,
    validation: 0,
    turns,
    skipped,
  } as unknown as PairsSummary;
  return faultOfPairs(summary);
}

test.each([
  [{ equal_scores: 5, no_prompt: 1 }, 3, "no_pairs", "score more finely"],
  [{}, 0, "no_pairs", "ttc_step_name"],
  [{ no_turn_id: 4 }, 0, "missing_event_fields", "turn_id"],
  [{ no_candidate_index: 4, equal_scores: 1 }, 1, "missing_event_fields", "candidate_index"],
  [{ no_prompt: 4 }, 0, "missing_event_fields", "input"],
  [{ odd_reply: 4 }, 0, "missing_event_fields", "output"],
])("no pairs, since %o in %i turns: %s, with advice on %s", (skipped, turns, code, advice) => {
  const error = fault(skipped, turns);
  expect(error).toMatchObject({ code, exit_code: 4 });
  expect(`${error?.what} ${error?.fix}`).toContain(advice);
});
