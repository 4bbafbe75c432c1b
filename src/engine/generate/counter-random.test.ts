import { expect, test } from "vitest";
import { philox, uniformAt } from "./counter-random.ts";

// kat_vectors of the authors' Random123: philox4x32, 10 rounds.
test.each([
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
] as const)("Philox of counter %j and key %j", (counter, key, expected) => {
  expect(philox(counter, key)).toEqual(expected);
});

test("a number depends on seed, stream and place, and on nothing else", () => {
  const draws = new Set<number>();
  for (const seed of [0, 1, 2 ** 40, -1]) {
    for (const stream of [0, 1, 2]) {
      for (const n of [0, 1, 2, 2 ** 33]) draws.add(uniformAt(seed, stream, n));
    }
  }
  expect(draws.size).toBe(4 * 3 * 4);
  expect(uniformAt(7, 3, 100)).toBe(uniformAt(7, 3, 100));
});

test("numbers are spread evenly over [0, 1)", () => {
  const bins = new Array(20).fill(0);
  const count = 20_000;
  for (let n = 0; n < count; n += 1) {
    const value = uniformAt(5, 0, n);
    expect(value >= 0 && value < 1).toBe(true);
    bins[Math.floor(value * 20)] += 1;
  }
  const chi_square = bins.reduce((sum, seen) => sum + (seen - count / 20) ** 2 / (count / 20), 0);
  expect(chi_square).toBeLessThan(36.2); // 19 degrees of freedom, p = 0.01
});
