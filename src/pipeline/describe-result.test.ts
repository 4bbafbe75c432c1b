import { expect, test } from "vitest";
import { describePairs, faultOfPairs } from "./describe-result.ts";
import { buildOptions, runFolder, storedRun } from "./pairs/__fixtures__/stored-runs.ts";
import { type BuildPairsOptions, buildPairs } from "./pairs/build-pairs.ts";

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
  expect((await built([], "sft")).fault?.fix).toContain("check ttc_step_name");
});
