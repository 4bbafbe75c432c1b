import { expect, test } from "vitest";
import { preferenceMetrics, type ScoredPair } from "./preference-metrics.ts";

const pair = (chosen: number): ScoredPair => ({
  ...{ chosen, rejected: -25, reference_chosen: -20, reference_rejected: -25 },
  ...{ chosen_length: 5, rejected_length: 6, weight: 1 },
});

test("a policy that is the reference prefers no reply, whatever float32 makes of its sums", () => {
  const accuracyOf = (...chosen: number[]) => preferenceMetrics(chosen.map(pair), 0.1)!["rewards/accuracies"];
  expect(accuracyOf(-20 + 3e-6)).toBe(0);
  expect(accuracyOf(-20 - 3e-6)).toBe(0);
  expect(accuracyOf(-20 + 3e-4)).toBe(1);
  expect(accuracyOf(-19, -20, -21, -19.9)).toBe(0.5);
});
