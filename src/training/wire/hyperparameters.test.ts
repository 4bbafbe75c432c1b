import { expect, test } from "vitest";
import { Hyperparameters } from "./hyperparameters.ts";

test("our own settings that are taken out with null are not sent", () => {
  const given = { finetuning_type: "all_weights", pairwright: null };
  expect(JSON.parse(JSON.stringify(Hyperparameters.parse(given)))).toEqual({ finetuning_type: "all_weights" });
  expect(Hyperparameters.parse({ ...given, pairwright: { batch_unit: "prompt" } }).pairwright).toEqual({
    batch_unit: "prompt",
  });
});
