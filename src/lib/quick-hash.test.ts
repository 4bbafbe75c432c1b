import { expect, test } from "vitest";
import { quickHash } from "./quick-hash.ts";

test("equal texts have equal keys, and near ones differ in both halves", () => {
  const his = new Set<number>();
  const los = new Set<number>();
  let texts = 0;
  for (const length of [0, 5, 60, 255, 511, 512, 513, 3000]) {
    for (let place = 0; place < 2000; place += 1) {
      const text = `${place}`.padEnd(length, "é") + place;
      const { hi, lo } = quickHash(text);
      expect(quickHash(`${text} `.slice(0, -1))).toEqual({ hi, lo });
      his.add(hi);
      los.add(lo);
      texts += 1;
    }
  }
  // Of 16,000 evenly spread 32-bit numbers hardly any two are equal.
  expect(his.size).toBeGreaterThan(texts - 5);
  expect(los.size).toBeGreaterThan(texts - 5);
});

test("the keys fill all buckets of a table about evenly", () => {
  const buckets = new Uint32Array(64);
  for (let place = 0; place < 64_000; place += 1) {
    const { hi, lo } = quickHash(`<move>${place % 3},${place}</move>`);
    for (const half of [hi, lo]) buckets[half % 64] = (buckets[half % 64] ?? 0) + 1;
  }
  expect(Math.min(...buckets)).toBeGreaterThan(1_750);
  expect(Math.max(...buckets)).toBeLessThan(2_250);
});
