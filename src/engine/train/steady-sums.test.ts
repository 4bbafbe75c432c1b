import { expect, test } from "vitest";
import { SMALL } from "./__fixtures__/small-model.ts";
import { leastRows } from "./steady-sums.ts";

test("wanted tokens are filled up to the width of a model only where as many logits are made at a time", () => {
  const wanted = (vocab_size: number, hidden_size: number) => leastRows({ ...SMALL, vocab_size, hidden_size }).wanted;
  // SmolLM2-135M: 341 tokens at a time, states of 576 numbers.
  expect(wanted(49_152, 576)).toBe(2);
  expect(wanted(32_000, 512)).toBe(512);
  expect(wanted(152_000, 896)).toBe(1);
});
