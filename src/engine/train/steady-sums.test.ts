import { expect, test } from "vitest";
import { SMALL } from "./__fixtures__/small-model.ts";
import { leastRows } from "./steady-sums.ts";

test("wanted tokens are not filled up to the width of a model whose logits are made of fewer", () => {
  // SmolLM2-135M: 341 tokens at a time, states of 576 numbers.
  const { wanted } = leastRows({ ...SMALL, vocab_size: 49_152, hidden_size: 576 });
  expect([1, 171, 341, 576].map(wanted)).toEqual([2, 171, 341, 576]);
  // Of the transpose 577 columns or more would be cut, some into narrow pieces.
  expect([577, 639, 640, 1000].map(wanted)).toEqual([640, 640, 640, 1000]);
});

test("where more tokens come together than a state has numbers, they are filled up to these", () => {
  const { wanted } = leastRows({ ...SMALL, vocab_size: 32_000, hidden_size: 512 });
  expect([1, 511, 513].map(wanted)).toEqual([512, 512, 513]);
  expect([1, 511, 513].map(leastRows({ ...SMALL, vocab_size: 152_000, hidden_size: 896 }).wanted)).toEqual([
    1, 511, 513,
  ]);
});
