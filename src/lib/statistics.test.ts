import { expect, test } from "vitest";
import { seededRandom } from "./random.ts";
import { createMoments, studentQuantile975, wilsonInterval } from "./statistics.ts";

function momentsOf(values: readonly number[]) {
  const moments = createMoments();
  for (const value of values) moments.add(value);
  return moments;
}

// Printed tables of t at 0.975, to the digits they give.
test.each([
  [1, 12.7062047],
  [2, 4.30265273],
  [3, 3.18244631],
  [4, 2.77644511],
  [5, 2.57058184],
  [6, 2.44691185],
  [7, 2.36462425],
  [8, 2.30600414],
  [9, 2.26215716],
  [10, 2.22813885],
  [15, 2.13144955],
  [20, 2.08596345],
  [25, 2.05953855],
  [30, 2.04227246],
  [40, 2.02107539],
  [60, 2.00029782],
  [80, 1.99006342],
  [100, 1.98397152],
  [120, 1.97993041],
  [200, 1.97189622],
  [500, 1.96471984],
  [1000, 1.96233908],
])("t at 0.975 with %d degrees of freedom is %d", (degrees, tabled) => {
  expect(studentQuantile975(degrees)).toBeCloseTo(tabled, 7);
});

test("the two ways to compute t meet where one takes over", () => {
  const [before, at, after] = [studentQuantile975(199), studentQuantile975(200), studentQuantile975(201)];

  expect(at - after).toBeGreaterThan(0);
  expect((at - after) / (before - at)).toBeCloseTo(199 / 201, 3);
  expect(studentQuantile975(10_000_000)).toBeCloseTo(1.959963984540054, 6);
});

test("t without degrees of freedom is refused", () => {
  expect(() => studentQuantile975(0)).toThrow(RangeError);
  expect(() => studentQuantile975(2.5)).toThrow(RangeError);
});

test("Wilson's interval matches worked examples", () => {
  // 8 of 10: centre (0.8 + 3.8415/20) / 1.38415 = 0.71673, half 1.95996/1.38415 * sqrt(0.016 + 0.0096037) = 0.22657
  const { low, high } = wilsonInterval(8, 10);
  expect(low).toBeCloseTo(0.49016, 4);
  expect(high).toBeCloseTo(0.94331, 4);
  expect(wilsonInterval(0, 10)).toEqual({ low: 0, high: expect.closeTo(0.27753, 4) });
  expect(wilsonInterval(10, 10)).toEqual({ low: expect.closeTo(0.72247, 4), high: 1 });
});

test("a mean with its Student interval, worked by hand", () => {
  // 2, 4, 6: mean 4, variance 4, half 4.302653 * sqrt(4 / 3)
  const moments = momentsOf([2, 4, 6]);

  expect(moments.mean()).toBe(4);
  expect(moments.variance()).toBe(4);
  expect(moments.interval()).toEqual({ low: expect.closeTo(-0.968275, 5), high: expect.closeTo(8.968275, 5) });
});

test("values that are all 0 or 1 get Wilson's interval, and one other value ends that", () => {
  expect(momentsOf([1, 1, 0, 1]).interval()).toEqual(wilsonInterval(3, 4));
  expect(momentsOf([1, 1, 0, 0.5]).interval()?.high).toBeGreaterThan(1);
});

test("the interval of a mean of shares stays between 0 and 1", () => {
  const values = [1, 1, 1, 0.5, 1, 0.75];
  const moments = momentsOf(values);
  expect(moments.interval()?.high).toBeGreaterThan(1);
  const { low, high } = moments.shareInterval()!;
  expect(low).toBeGreaterThan(0.5);
  expect(high).toBeLessThan(1);
  // Wilson's ends solve (mean - end)² = t² / m end (1 - end), where m shares out of 0 and 1 would be as uncertain.
  const [mean, variance] = [moments.mean()!, moments.variance()!];
  const m = (mean * (1 - mean)) / (variance / values.length);
  for (const end of [low, high]) {
    expect((mean - end) ** 2).toBeCloseTo((studentQuantile975(5) ** 2 / m) * end * (1 - end), 12);
  }

  expect(momentsOf([1, 1, 0, 1]).shareInterval()).toEqual(wilsonInterval(3, 4));
  expect(momentsOf([0.5, 0.5]).shareInterval()).toEqual({ low: 0.5, high: 0.5 });
  expect(momentsOf([0.5]).shareInterval()).toBeNull();
  const beyond = momentsOf([0.5, 1, 2]);
  expect(beyond.shareInterval()).toEqual(beyond.interval());
  expect(momentsOf([1, 1 - 2 ** -53, 1, 1]).shareInterval()).toEqual(wilsonInterval(4, 4));
  for (const two of [
    [0, 0.001],
    [0.999, 1],
    [1e-9, 1],
  ]) {
    const { low, high } = momentsOf(two).shareInterval()!;
    expect(low).toBeGreaterThanOrEqual(0);
    expect(high).toBeLessThanOrEqual(1);
    expect(high).toBeGreaterThan(low);
  }
});

test("of shares that are often 1, as legal replies of a game are, 95 % of the intervals hold the true mean", () => {
  const random = seededRandom(11);
  // Four replies each, and each of them is legal nine times of ten.
  const one = () => [0, 0, 0, 0].filter(() => random() < 0.9).length / 4;
  const samples = Array.from({ length: 2000 }, () => momentsOf(Array.from({ length: 20 }, one)).shareInterval());
  const held = samples.filter((interval) => interval !== null && interval.low <= 0.9 && interval.high >= 0.9);
  expect(held.length / samples.length).toBeGreaterThan(0.93);
  expect(held.length / samples.length).toBeLessThan(0.98);
});

test("under two values there is a mean but no interval, and none of nothing", () => {
  expect(momentsOf([0.3]).mean()).toBe(0.3);
  expect(momentsOf([0.3]).interval()).toBeNull();
  expect(momentsOf([1]).interval()).toBeNull();
  expect(momentsOf([]).mean()).toBeNull();
  expect(momentsOf([]).interval()).toBeNull();
});

test("any order of the same values gives the same bits", () => {
  const random = seededRandom(7);
  const values = Array.from({ length: 400 }, () => (random() - 0.5) * 10 ** Math.floor(random() * 30 - 15));
  const figures = (list: readonly number[]) => {
    const moments = momentsOf(list);
    return [moments.mean(), moments.variance(), moments.interval()?.low, moments.interval()?.high];
  };
  const sorted = figures(values.toSorted((a, b) => a - b));
  // The plain sum differs, or this test would show nothing.
  expect(values.reduce((sum, value) => sum + value, 0)).not.toBe(
    values.toSorted((a, b) => a - b).reduce((sum, value) => sum + value, 0),
  );

  for (let round = 0; round < 10; round += 1) {
    const shuffled = values.map((value) => ({ value, key: random() })).sort((a, b) => a.key - b.key);
    expect(figures(shuffled.map(({ value }) => value))).toEqual(sorted);
  }
});

test("sums are exact where adding doubles is not", () => {
  expect(momentsOf([0.1, 0.1, 0.1]).mean()).toBe(0.1);
  expect(momentsOf([1e100, 1, -1e100]).mean()).toBe(1 / 3);
  expect(momentsOf([1e9 + 1, 1e9 + 2, 1e9 + 3]).variance()).toBe(1);
  expect(momentsOf([-0.5, -0.5, -1.5]).mean()).toBe(-2.5 / 3);
  // The mean is 2^53 + 1 and a hair: without the hair it would round down.
  expect(momentsOf([2 ** 54, 2 + 2 ** -40]).mean()).toBe(2 ** 53 + 2);
});

test("the smallest and the largest doubles do not break it", () => {
  expect(momentsOf([Number.MIN_VALUE, Number.MIN_VALUE]).mean()).toBe(Number.MIN_VALUE);
  expect(momentsOf([Number.MAX_VALUE, Number.MAX_VALUE]).mean()).toBe(Number.MAX_VALUE);
  expect(momentsOf([1e-200, 3e-200]).mean()).toBeCloseTo(2e-200, 210);
  expect(momentsOf([1e-100, 3e-100]).variance()).toBeCloseTo(2e-200, 210);
});

test("what is not a finite number is refused, not summed", () => {
  expect(() => createMoments().add(Number.NaN)).toThrow(RangeError);
  expect(() => createMoments().add(Number.POSITIVE_INFINITY)).toThrow(RangeError);
});
