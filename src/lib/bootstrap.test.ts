import { expect, test } from "vitest";
import { bootstrapMean } from "./bootstrap.ts";
import { seededRandom } from "./random.ts";
import { createMoments } from "./statistics.ts";

test("for three values it is near the quantiles of all 27 samples that there are", () => {
  const values = [0, 1, 5];
  const all = values
    .flatMap((a) => values.flatMap((b) => values.map((c) => (a + b + c) / 3)))
    .toSorted((a, b) => a - b);
  expect(all).toHaveLength(27);

  const { low, high } = bootstrapMean(values, { confidence: 0.8, random: seededRandom(1) });
  // A tenth of 27 samples lies below the third one: 0,0,1 (three times: 1/3), after 0,0,0.
  expect(low).toBeCloseTo(all[2] ?? Number.NaN, 10);
  expect(high).toBeCloseTo(all[24] ?? Number.NaN, 10);
});

test("for many values it agrees with Student's interval", () => {
  const random = seededRandom(2);
  const values = Array.from({ length: 400 }, () => random() + random() + random());
  const moments = createMoments();
  for (const value of values) moments.add(value);
  const student = moments.interval() ?? { low: 0, high: 0 };
  const width = student.high - student.low;

  const { low, high } = bootstrapMean(values, { confidence: 0.95, random: seededRandom(3) });
  expect(Math.abs(low - student.low)).toBeLessThan(width * 0.05);
  expect(Math.abs(high - student.high)).toBeLessThan(width * 0.05);
});

test("the same seed gives the same interval, and equal values one without width", () => {
  const values = [0.5, -1, 2, 0];
  const interval = () => bootstrapMean(values, { confidence: 0.9, random: seededRandom(4) });
  expect(interval()).toEqual(interval());
  expect(bootstrapMean([2, 2, 2], { confidence: 0.9, random: seededRandom(4) })).toEqual({ low: 2, high: 2 });
});

test("no value, or one that is no number, is an error", () => {
  const options = { confidence: 0.9, random: seededRandom(1) };
  expect(() => bootstrapMean([], options)).toThrow(RangeError);
  expect(() => bootstrapMean([1, Number.NaN], options)).toThrow(RangeError);
});
