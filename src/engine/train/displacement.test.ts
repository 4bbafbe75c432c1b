import { expect, test } from "vitest";
import { displacementWarning } from "./displacement.ts";
import { about } from "./time-estimate.ts";

const record = (step: number, reward: number) => ({ step, epoch: 0, loss: 1, "rewards/chosen": reward });

test("chosen replies that became less likely are told as what it is", () => {
  const records = Array.from({ length: 40 }, (_, step) => record(step, step < 20 ? 1 : -0.5));
  expect(displacementWarning(records)).toMatch(
    /^likelihood displacement: .*rewards\/chosen -0\.500 over the last 20 steps/,
  );
  expect(displacementWarning(records.slice(0, 25))).toBeNull();
  expect(displacementWarning([{ step: 1, epoch: 0, loss: 1 }])).toBeNull();
  // What rounding makes of a reward of zero.
  expect(displacementWarning([record(1, -2e-7)])).toBeNull();
});

test("a time is told in the unit that it has", () => {
  expect([0.2, 42, 200, 9000].map(about)).toEqual(["1 s", "42 s", "3 min", "2.5 h"]);
});
