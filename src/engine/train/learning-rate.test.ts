import { expect, test } from "vitest";
import { learningRate } from "./learning-rate.ts";

const settings = { learning_rate: 8, warmup_steps: 0, min_learning_rate_ratio: 0 };

test("linear falls from the first step to zero after the last, as transformers has it", () => {
  const rates = [0, 1, 2, 3].map((step) => learningRate({ ...settings, schedule: "linear" }, step, 4));
  expect(rates).toEqual([8, 6, 4, 2]);
});

test("warm-up rises from zero, and the schedule begins after it", () => {
  const rates = [0, 1, 2, 3, 4].map((step) =>
    learningRate({ ...settings, schedule: "linear", warmup_steps: 2 }, step, 6),
  );
  expect(rates).toEqual([0, 4, 8, 6, 4]);
});

test("cosine is half way in the middle, and ends at its share", () => {
  const at = (step: number) =>
    learningRate({ ...settings, schedule: "cosine", min_learning_rate_ratio: 0.25 }, step, 10);
  expect([at(0), at(5), at(10)].map((rate) => Math.round(rate * 1e9) / 1e9)).toEqual([8, 5, 2]);
});

test("constant stays", () => {
  expect(learningRate({ ...settings, schedule: "constant" }, 99, 10)).toBe(8);
});
