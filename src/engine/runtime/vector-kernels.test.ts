import { expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { type AdamWArrays, type VectorKernels, vectorKernels } from "./vector-kernels.ts";

/** More than one piece of arrays that lie outside. */
const SIZE = 36_004;
const STEP = { scale: 0.5, beta1: 0.9, beta2: 0.95, rate: 0.02, correction: 3, epsilon: 1e-8, keep: 0.999 };

/** The same numbers in arrays of the kernels' own memory, or in others. */
function filled(kernels: VectorKernels, seed: number): AdamWArrays {
  const random = seededRandom(seed);
  const [p, m, v, g] = kernels.arrays(4, SIZE) as [Float32Array, Float32Array, Float32Array, Float32Array];
  for (const array of [p, m, g]) array.set(Array.from({ length: SIZE }, () => random() - 0.5));
  v.set(Array.from({ length: SIZE }, random));
  return { p, m, v, g };
}

const inside = () => vectorKernels(4 * 4 * (SIZE + 16));
const PLACES = [
  ["in their own memory", inside],
  ["outside", () => vectorKernels()],
] as const;

test("arrays are where they were asked to be", () => {
  const [own, others] = [inside(), vectorKernels()];
  const buffersOf = (kernels: VectorKernels) => new Set(kernels.arrays(4, SIZE).map(({ buffer }) => buffer)).size;
  expect([buffersOf(own), buffersOf(others)]).toEqual([1, 4]);
});

test.each(PLACES)("sums and squares of arrays %s are those of plain loops", (_name, open) => {
  const kernels = open();
  const { p, g } = filled(kernels, 1);
  const sum = p.map((value, at) => value + g[at]!);
  kernels.add(p, g);
  expect([...p]).toEqual([...sum]);
  const squares = g.reduce((so_far, value) => so_far + value * value, 0);
  expect(Math.abs(kernels.squares(g) / squares - 1)).toBeLessThan(1e-13);
});

test.each(PLACES)("AdamW of arrays %s rounds as float32 does, operation by operation", (_name, open) => {
  const kernels = open();
  const arrays = filled(kernels, 2);
  const { p, m, v, g } = { p: arrays.p.slice(), m: arrays.m.slice(), v: arrays.v.slice(), g: arrays.g.slice() };
  kernels.adamw(arrays, STEP);
  const f = Math.fround;
  const { scale, beta1, beta2, rate, correction, epsilon, keep } = STEP;
  for (let at = 0; at < SIZE; at += 1) {
    const gradient = f(g[at]! * f(scale));
    m[at] = f(f(m[at]! * f(beta1)) + f(gradient * f(1 - beta1)));
    v[at] = f(f(v[at]! * f(beta2)) + f(f(gradient * gradient) * f(1 - beta2)));
    const size = f(f(f(Math.sqrt(v[at]!)) * f(correction)) + f(epsilon));
    p[at] = f(f(p[at]! * f(keep)) - f(f(m[at]! * f(rate)) / size));
  }
  expect([...arrays.m]).toEqual([...m]);
  expect([...arrays.v]).toEqual([...v]);
  expect([...arrays.p]).toEqual([...p]);
});

test("moments do not become numbers that are nearly none", () => {
  const kernels = inside();
  const { p, m, v, g } = filled(kernels, 3);
  m.fill(1e-37);
  v.fill(1e-37);
  g.fill(1e-18);
  kernels.adamw({ p, m, v, g }, STEP);
  expect(new Set([...m, ...v])).toEqual(new Set([0]));
});

test("lengths that are no multiple of four, or that differ, are refused", () => {
  const kernels = vectorKernels();
  expect(() => kernels.squares(new Float32Array(6))).toThrow("arrays of 6 numbers");
  expect(() => kernels.add(new Float32Array(8), new Float32Array(4))).toThrow("arrays of 8 numbers");
});
