import { expect, test } from "vitest";
import { smallData } from "./__fixtures__/small-model.ts";
import { batchAt, epochOrder, stepsPerEpoch, unitsOf, weighted } from "./batches.ts";
import { TrainingOptions } from "./training-options.ts";

const data = smallData();
const total = (numbers: Iterable<number>) => [...numbers].reduce((sum, number) => sum + number, 0);

test("an epoch has every unit once, in an order of its own that follows from the seed", () => {
  const options = TrainingOptions.parse({ batch_size: 3 });
  const units = unitsOf(data, options);
  expect(units).toHaveLength(10);
  const orders = [0, 1].map((epoch) => epochOrder(10, epoch, options));
  expect([...orders[0]!].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(orders[0]).not.toEqual(orders[1]);
  expect(epochOrder(10, 1, options)).toEqual(orders[1]);
  expect(epochOrder(10, 1, { ...options, seed: 1 })).not.toEqual(orders[1]);
  const rows = [0, 1, 2, 3].flatMap((step) =>
    batchAt(data, units, orders[0]!, step, options).pairs.map(({ row }) => row),
  );
  expect(stepsPerEpoch(10, options)).toBe(4);
  expect(rows.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("pairs have equal weights, and with whole prompts each prompt has", () => {
  const by_pair = TrainingOptions.parse({});
  const pairs = weighted(data, unitsOf(data, by_pair), by_pair).pairs;
  expect(pairs.map(({ weight }) => weight)).toEqual(Array(10).fill(0.1));

  const by_prompt = TrainingOptions.parse({ batch_unit: "prompt" });
  const units = unitsOf(data, by_prompt);
  expect(units.map((unit) => unit.pairs.length)).toEqual([4, 3, 2, 1]);
  const batch = weighted(data, units, by_prompt);
  expect(batch.pairs.map(({ weight }) => weight)).toEqual(
    [4, 3, 2, 1].flatMap((count) => Array(count).fill(1 / (4 * count))),
  );
});

test("the likelihood term is a mean over chosen replies: of sums, or of means over their tokens", () => {
  const sums = TrainingOptions.parse({ dpo: { sft_loss_weight: 0.3 } });
  const means = TrainingOptions.parse({ dpo: { sft_loss_weight: 0.3, sft_average_log_probs: true } });
  expect(total(weighted(data, unitsOf(data, sums), sums).likelihood.values())).toBeCloseTo(0.3, 12);
  // Every chosen reply has three tokens.
  expect(total(weighted(data, unitsOf(data, means), means).likelihood.values())).toBeCloseTo(0.1, 12);
});

test("SFT is a mean over all tokens of a batch", () => {
  const options = TrainingOptions.parse({ training_type: "sft", gradient_accumulation_steps: 2, batch_size: 2 });
  const units = unitsOf(data, options);
  expect(stepsPerEpoch(units.length, options)).toBe(1);
  const { likelihood, pairs } = weighted(data, units, options);
  expect(pairs).toEqual([]);
  expect([...likelihood.values()]).toEqual(Array(4).fill(1 / 12));
});
