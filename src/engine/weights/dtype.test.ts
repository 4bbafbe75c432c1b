import { expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { narrow, widen } from "./dtype.ts";

/** A float16's value, worked out from its parts in another way than the table: by doubling and halving. */
function f16Value(bits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits & 0x7c00) >> 10;
  const digits = bits & 0x3ff;
  if (exponent === 31) return digits === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  let value = exponent === 0 ? digits : digits + 1024;
  for (let e = Math.max(exponent, 1); e > 25; e -= 1) value *= 2;
  for (let e = Math.max(exponent, 1); e < 25; e += 1) value /= 2;
  return sign * value;
}

const ALL = Uint16Array.from({ length: 0x1_0000 }, (_, i) => i);
const HALVES = Array.from(ALL, f16Value);
/** The finite ones that are not negative, in order. */
const LADDER = HALVES.slice(0, 0x7c00);

function narrowed(dtype: "F16" | "BF16", numbers: Iterable<number>): number[] {
  const from = Float32Array.from(numbers);
  const into = new Uint16Array(from.length);
  narrow(dtype, from, into);
  return [...into];
}

test("every float16 becomes the float32 of its value", () => {
  const numbers = new Float32Array(ALL.length);
  widen("F16", ALL, numbers);

  expect(numbers.length).toBe(65_536);
  expect(numbers.every((number, i) => Object.is(number, HALVES[i]))).toBe(true);
});

test("every number of 16 bits survives float32 and back", () => {
  for (const dtype of ["F16", "BF16"] as const) {
    const numbers = new Float32Array(ALL.length);
    widen(dtype, ALL, numbers);
    const back = narrowed(dtype, numbers);

    const isNan = (i: number) => Number.isNaN(numbers[i]);
    expect(back.filter((bits, i) => bits !== i && !isNan(i))).toEqual([]);
    const again = new Float32Array(ALL.length);
    widen(dtype, Uint16Array.from(back), again);
    expect(again.every((number, i) => Number.isNaN(number) === isNan(i))).toBe(true);
  }
});

test("a float32 becomes the nearest float16, ties to the even one", () => {
  const random = seededRandom(7);
  const numbers = Float32Array.from({ length: 3000 }, () => (random() - 0.5) * 2 ** (random() * 45 - 27));
  const results = narrowed("F16", numbers);

  const expected = Array.from(numbers, (number) => {
    const size = Math.abs(number);
    let above = LADDER.findIndex((step) => step >= size);
    if (above === -1) above = 0x7c00;
    const under = Math.max(above - 1, 0);
    const low = size - (LADDER[under] ?? 0);
    const high = (above === 0x7c00 ? 65_536 : (LADDER[above] ?? 0)) - size;
    const nearest = low < high || (low === high && under % 2 === 0) ? under : above;
    return nearest | (number < 0 ? 0x8000 : 0);
  });
  expect(results).toEqual(expected);
});

test("halves go to the even neighbour at every step of float16, and nowhere else", () => {
  const ties = LADDER.slice(0, -1).map((step, i) => (step + (LADDER[i + 1] ?? 0)) / 2);
  expect(narrowed("F16", ties)).toEqual(ties.map((_, i) => (i % 2 === 0 ? i : i + 1)));
});

test("float16 ends at 65,504: up to 65,520 rounds down, from there on is infinity", () => {
  expect(narrowed("F16", [65_504, 65_519.996, 65_520, 1e38, -65_520])).toEqual([
    0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00,
  ]);
});

test("bfloat16 is the upper half of float32, rounded to nearest, ties to even", () => {
  const bits = (upper: number, lower: number) =>
    new Float32Array(Uint32Array.of(((upper << 16) | lower) >>> 0).buffer)[0] ?? 0;

  expect(
    narrowed("BF16", [
      bits(0x3f80, 0x0000),
      bits(0x3f80, 0x7fff),
      bits(0x3f80, 0x8000),
      bits(0x3f81, 0x8000),
      bits(0x3f80, 0x8001),
      bits(0xbf81, 0x8000),
      bits(0x7f7f, 0xffff),
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      -0,
    ]),
  ).toEqual([0x3f80, 0x3f80, 0x3f80, 0x3f82, 0x3f81, 0xbf82, 0x7f80, 0x7fc0, 0xff80, 0x8000]);
});
