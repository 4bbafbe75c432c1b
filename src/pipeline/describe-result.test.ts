import { expect, test } from "vitest";
import { describePairs, faultOfPairs } from "./describe-result.ts";
import { buildOptions, runFolder, storedRun } from "./pairs/__fixtures__/stored-runs.ts";
import { type BuildPairsOptions, buildPairs, type PairsSummary } from "./pairs/build-pairs.ts";

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

async function built(turns: Parameters<typeof storedRun>[1], training_type: BuildPairsOptions["training_type"]) {
  const summary = await buildPairs(buildOptions([await runFolder([storedRun(0, turns)])], { training_type }));
  return { summary, fault: faultOfPairs(summary), text: describePairs(summary, "RUN") };
}

test("turns of one reply are enough for supervised fine-tuning, and no pairs for DPO", async () => {
  const sft = await built([["p", { only: 1 }]], "sft");
  expect(sft.fault).toBeUndefined();
  expect(sft.text).toContain("-> 0 pairs; best replies -> 1 training, 0 validation rows");
  expect(sft.text).toContain("data set: RUN/dataset/training_file.jsonl");
  const dpo = await built([["p", { only: 1 }]], "dpo");
  expect(dpo.fault).toMatchObject({ code: "no_pairs", exit_code: 4 });
  expect(dpo.fault?.fix).toContain("sample more than one candidate");
  expect(dpo.text).not.toContain("data set:");
});

test("no rows for supervised fine-tuning is told with what to do", async () => {
  const unscored = await built([["p", { a: null, b: null }]], "sft");
  expect(unscored.fault).toMatchObject({ code: "no_rows", exit_code: 4 });
  expect(unscored.fault?.fix).toContain("no reply is scored");
  expect((await built([], "sft")).fault).toMatchObject({
    code: "no_pairs",
    fix: expect.stringContaining("ttc_step_name"),
  });
});
