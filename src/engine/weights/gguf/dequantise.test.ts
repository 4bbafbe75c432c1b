import { expect, test } from "vitest";
import { seededRandom } from "../../../lib/random.ts";
import { GGML_TYPES } from "./dequantise.ts";

/** 0.5, -2 and 0.25 as float16. */
const HALF = [0x00, 0x38];
const MINUS_TWO = [0x00, 0xc0];
const QUARTER = [0x00, 0x34];

function dequantised(name: string, bytes: number[]): number[] {
  const type = [...GGML_TYPES.values()].find((entry) => entry.name === name);
  if (type === undefined) throw new Error(name);
  expect(bytes.length % type.bytes).toBe(0);
  const numbers = new Float32Array((bytes.length / type.bytes) * type.block);
  type.dequantise(Uint8Array.from(bytes), numbers);
  return [...numbers];
}

function integers(count: number, from: number, to: number, seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => from + Math.floor(random() * (to - from + 1)));
}

/**
 * Bytes of bit fields: `[at, width, value]`, `at` counted in bits from the first byte's lowest. Another way than shifts
 * by hand.
 */
function bitBytes(size: number, fields: (readonly [at: number, width: number, value: number])[]): number[] {
  const bits = new Array<number>(size * 8).fill(0);
  for (const [at, width, value] of fields) {
    for (let i = 0; i < width; i += 1) bits[at + i] = Math.floor(value / 2 ** i) % 2;
  }
  return Array.from({ length: size }, (_, byte) =>
    bits.slice(byte * 8, byte * 8 + 8).reduce((sum, bit, i) => sum + bit * 2 ** i, 0),
  );
}

test("eleven types can be read", () => {
  expect([...GGML_TYPES.values()].map(({ name }) => name)).toEqual([
    "F32",
    "F16",
    "Q4_0",
    "Q4_1",
    "Q5_0",
    "Q5_1",
    "Q8_0",
    "Q4_K",
    "Q5_K",
    "Q6_K",
    "BF16",
  ]);
});

test("plain numbers", () => {
  expect(dequantised("F32", [0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0])).toEqual([1.5, -2]);
  expect(dequantised("F16", [...HALF, ...MINUS_TWO])).toEqual([0.5, -2]);
  expect(dequantised("BF16", [0xc0, 0x3f, 0x00, 0xc0])).toEqual([1.5, -2]);
});

test("Q8_0: scale times signed byte", () => {
  const q = integers(32, -128, 127, 1);
  expect(dequantised("Q8_0", [...HALF, ...q.map((x) => x & 255)])).toEqual(q.map((x) => x / 2));
});

test("Q4_0 and Q4_1: number j in the low half of byte j, number j + 16 in its high half", () => {
  const q = integers(32, 0, 15, 2);
  const packed = bitBytes(
    16,
    q.map((x, j) => [(j % 16) * 8 + (j < 16 ? 0 : 4), 4, x]),
  );
  expect(dequantised("Q4_0", [...HALF, ...packed])).toEqual(q.map((x) => (x - 8) / 2));
  expect(dequantised("Q4_1", [...HALF, ...MINUS_TWO, ...packed])).toEqual(q.map((x) => x / 2 - 2));
});

test("Q5_0 and Q5_1: bit j of a word is the fifth of number j", () => {
  const q = integers(32, 0, 31, 3);
  const high = bitBytes(
    4,
    q.map((x, j) => [j, 1, x >> 4]),
  );
  const packed = bitBytes(
    16,
    q.map((x, j) => [(j % 16) * 8 + (j < 16 ? 0 : 4), 4, x & 15]),
  );
  expect(dequantised("Q5_0", [...HALF, ...high, ...packed])).toEqual(q.map((x) => (x - 16) / 2));
  expect(dequantised("Q5_1", [...HALF, ...MINUS_TWO, ...high, ...packed])).toEqual(q.map((x) => x / 2 - 2));
});

test("two blocks stand one after the other", () => {
  const block = [...HALF, ...new Array<number>(32).fill(2)];
  const other = [...QUARTER, ...new Array<number>(32).fill(4)];
  expect(dequantised("Q8_0", [...block, ...other])).toEqual(new Array<number>(64).fill(1));
  expect(dequantised("Q8_0", [...block, ...MINUS_TWO, ...new Array<number>(32).fill(3)]).slice(30, 34)).toEqual([
    1, 1, -6, -6,
  ]);
});

/** Scales and offsets of Q4_K and Q5_K in their 12 bytes. */
function pairs(scales: number[], offsets: number[]): number[] {
  const low = (values: number[], byte: number) => values.slice(0, 4).map((x, i) => [(byte + i) * 8, 6, x] as const);
  const top = (values: number[], byte: number) =>
    values.slice(4).map((x, i) => [(byte + i) * 8 + 6, 2, x >> 4] as const);
  const rest = (values: number[], shift: number) =>
    values.slice(4).map((x, i) => [(8 + i) * 8 + shift, 4, x & 15] as const);
  return bitBytes(12, [
    ...low(scales, 0),
    ...top(scales, 0),
    ...low(offsets, 4),
    ...top(offsets, 4),
    ...rest(scales, 0),
    ...rest(offsets, 4),
  ]);
}

test("Q4_K: eight groups of 32, each with a scale and an offset of 6 bits", () => {
  const q = integers(256, 0, 15, 4);
  const scales = integers(8, 0, 63, 5);
  const offsets = integers(8, 0, 63, 6);
  const packed = bitBytes(
    128,
    q.map((x, i) => [(Math.floor(i / 64) * 32 + (i % 32)) * 8 + (i % 64 < 32 ? 0 : 4), 4, x]),
  );
  const expected = q.map((x, i) => {
    const group = Math.floor(i / 32);
    return 0.5 * (scales[group] ?? 0) * x - 0.25 * (offsets[group] ?? 0);
  });
  expect(dequantised("Q4_K", [...HALF, ...QUARTER, ...pairs(scales, offsets), ...packed])).toEqual(expected);
});

test("Q5_K: the fifth bit of number j of group g is bit g of byte j", () => {
  const q = integers(256, 0, 31, 7);
  const scales = integers(8, 0, 63, 8);
  const offsets = integers(8, 0, 63, 9);
  const high = bitBytes(
    32,
    q.map((x, i) => [(i % 32) * 8 + Math.floor(i / 32), 1, x >> 4]),
  );
  const packed = bitBytes(
    128,
    q.map((x, i) => [(Math.floor(i / 64) * 32 + (i % 32)) * 8 + (i % 64 < 32 ? 0 : 4), 4, x & 15]),
  );
  const expected = q.map((x, i) => {
    const group = Math.floor(i / 32);
    return 0.5 * (scales[group] ?? 0) * x - 0.25 * (offsets[group] ?? 0);
  });
  expect(dequantised("Q5_K", [...HALF, ...QUARTER, ...pairs(scales, offsets), ...high, ...packed])).toEqual(expected);
});

test("Q6_K: sixteen groups of 16 with signed scales; two halves of 128 numbers", () => {
  const q = integers(256, 0, 63, 10);
  const scales = integers(16, -128, 127, 11);
  const place = (i: number) => ({ half: Math.floor(i / 128), quarter: Math.floor((i % 128) / 32), j: i % 32 });
  const low = bitBytes(
    128,
    q.map((x, i) => {
      const { half, quarter, j } = place(i);
      return [(half * 64 + (quarter % 2) * 32 + j) * 8 + (quarter < 2 ? 0 : 4), 4, x & 15];
    }),
  );
  const high = bitBytes(
    64,
    q.map((x, i) => {
      const { half, quarter, j } = place(i);
      return [(half * 32 + j) * 8 + quarter * 2, 2, x >> 4];
    }),
  );
  const expected = q.map((x, i) => 0.5 * (scales[Math.floor(i / 16)] ?? 0) * (x - 32));
  const bytes = [...low, ...high, ...scales.map((x) => x & 255), ...HALF];
  expect(dequantised("Q6_K", bytes).map((x) => x + 0)).toEqual(expected.map((x) => x + 0));
});
