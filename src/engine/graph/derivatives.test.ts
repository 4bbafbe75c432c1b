import { expect, test } from "vitest";
import {
  gradientError,
  type IntegerInputs,
  type NumberInputs,
  someNumbers,
} from "./__fixtures__/finite-differences.ts";
import { TREES } from "./__fixtures__/trees.ts";
import { recomputed } from "./gradient.ts";
import type { Value } from "./graph.ts";
import { treeAttention } from "./ops/attention.ts";
import * as basic from "./ops/basic.ts";
import { gatherRows, pickElements, takeRows } from "./ops/indexing.ts";
import { gemm, linear } from "./ops/matmul.ts";
import { rmsNorm } from "./ops/rms-norm.ts";
import { rotate } from "./ops/rotary.ts";
import { logSoftmax, softmax } from "./ops/softmax.ts";
import { swiglu } from "./ops/swiglu.ts";

type V = Record<string, Value>;
interface Case {
  shapes: Record<string, readonly number[]>;
  build: (values: V) => Value;
  /** Applied to every number first, for operators that are not defined everywhere. */
  prepare?: (value: number) => number;
  integers?: IntegerInputs;
  fixed?: NumberInputs;
}

const x = [3, 4] as const;
const indices = (values: readonly number[], shape = [values.length]): IntegerInputs[string] => ({
  shape,
  data: BigInt64Array.from(values.map(BigInt)),
});
const angles = (of: (angle: number) => number) => Float64Array.from({ length: 8 }, (_, i) => of(0.3 + i));

const CASES: Record<string, Case> = {
  add: { shapes: { a: x, b: x }, build: ({ a, b }) => basic.add(a!, b!) },
  "add, one row to all": { shapes: { a: x, b: [4] }, build: ({ a, b }) => basic.add(a!, b!) },
  sub: { shapes: { a: [3, 1], b: x }, build: ({ a, b }) => basic.sub(a!, b!) },
  mul: { shapes: { a: x, b: [1, 4] }, build: ({ a, b }) => basic.mul(a!, b!) },
  "mul, by itself": { shapes: { a: x }, build: ({ a }) => basic.mul(a!, a!) },
  "mul, by a number": { shapes: { a: x }, build: ({ a }) => basic.mul(a!, -2.5) },
  div: { shapes: { a: x, b: x }, build: ({ a, b }) => basic.div(a!, b!) },
  neg: { shapes: { a: x }, build: ({ a }) => basic.neg(a!) },
  exp: { shapes: { a: x }, build: ({ a }) => basic.exp(a!) },
  log: { shapes: { a: x }, build: ({ a }) => basic.log(a!), prepare: Math.abs },
  sqrt: { shapes: { a: x }, build: ({ a }) => basic.sqrt(a!), prepare: Math.abs },
  sigmoid: { shapes: { a: x }, build: ({ a }) => basic.sigmoid(a!) },
  relu: { shapes: { a: x }, build: ({ a }) => basic.relu(a!) },
  softplus: { shapes: { a: x }, build: ({ a }) => basic.softplus(basic.mul(a!, 20)) },
  reshape: { shapes: { a: x }, build: ({ a }) => basic.reshape(a!, [2, 6]) },
  expand: { shapes: { a: [3, 1] }, build: ({ a }) => basic.expand(a!, [2, 3, 4]) },
  "reduceSum, of all": { shapes: { a: x }, build: ({ a }) => basic.reduceSum(a!) },
  "reduceSum, over an axis": { shapes: { a: x }, build: ({ a }) => basic.reduceSum(a!, [0]) },
  "reduceSum, axis kept": { shapes: { a: x }, build: ({ a }) => basic.reduceSum(a!, [-1], { keep: true }) },
  transpose: { shapes: { a: [2, 3, 4] }, build: ({ a }) => basic.transpose(a!, [1, 2, 0]) },
  slice: { shapes: { a: x }, build: ({ a }) => basic.slice(a!, -1, 1, 3) },
  concat: { shapes: { a: x, b: [3, 2] }, build: ({ a, b }) => basic.concat([a!, b!], 1) },
  cast: { shapes: { a: x }, build: ({ a }) => basic.mul(basic.cast(a!, "float64"), 2) },
  gemm: { shapes: { a: x, b: [4, 2] }, build: ({ a, b }) => gemm(a!, b!, { alpha: 1.5 }) },
  "gemm, left transposed": {
    shapes: { a: [4, 3], b: [4, 2] },
    build: ({ a, b }) => gemm(a!, b!, { transpose_a: true }),
  },
  "gemm, right transposed": { shapes: { a: x, b: [2, 4] }, build: ({ a, b }) => gemm(a!, b!, { transpose_b: true }) },
  "gemm, both transposed": {
    shapes: { a: [4, 3], b: [2, 4] },
    build: ({ a, b }) => gemm(a!, b!, { transpose_a: true, transpose_b: true, alpha: 0.5 }),
  },
  "gemm, added to something": { shapes: { a: x, b: [4, 2], c: [3, 2] }, build: ({ a, b, c }) => gemm(a!, b!, {}, c!) },
  "gemm, wide and deep, added to something": {
    shapes: { a: [130, 2], b: [3, 130], c: [2, 3] },
    build: ({ a, b, c }) => gemm(a!, b!, { transpose_a: true, transpose_b: true, alpha: 0.5 }, c!),
  },
  "gemm, of one matrix with itself": { shapes: { a: [3, 3] }, build: ({ a }) => gemm(a!, a!, { transpose_b: true }) },
  "linear with a bias": { shapes: { a: x, w: [5, 4], b: [5] }, build: ({ a, w, b }) => linear(a!, w!, { bias: b }) },
  "linear, added to something": {
    shapes: { a: x, w: [5, 4], b: [5], c: [3, 5] },
    build: ({ a, w, b, c }) => linear(a!, w!, { bias: b, sum: c }),
  },
  softmax: { shapes: { a: x }, build: ({ a }) => softmax(a!) },
  logSoftmax: { shapes: { a: x }, build: ({ a }) => logSoftmax(a!) },
  rmsNorm: { shapes: { a: [2, 3, 4], w: [4] }, build: ({ a, w }) => rmsNorm(a!, w!, 1e-5) },
  swiglu: { shapes: { a: x, b: x }, build: ({ a, b }) => swiglu(a!, b!) },
  "swiglu, early": { shapes: { a: x, b: x }, build: ({ a, b }) => swiglu(a!, b!, { early: true }) },
  gatherRows: {
    shapes: { a: [5, 3] },
    build: ({ a, at }) => gatherRows(a!, at!),
    integers: { at: indices([4, 0, 4, 2], [2, 2]) },
  },
  "gatherRows, of a large table": {
    shapes: { a: [600, 2] },
    build: ({ a, at }) => gatherRows(a!, at!),
    integers: { at: indices([599, 7, 7, 0]) },
  },
  takeRows: {
    // The last row of the result has no gradient: there stands the row that was not taken.
    shapes: { a: [4, 3] },
    build: ({ a, at, back }) => basic.slice(takeRows(a!, at!, back!), 0, 0, 3),
    integers: { at: indices([3, 0, 2, 1]), back: indices([1, 3, 2, 0]) },
  },
  pickElements: {
    shapes: { a: x },
    build: ({ a, rows, columns }) => pickElements(a!, rows!, columns!),
    integers: { rows: indices([2, 0, 2, 2]), columns: indices([3, 0, 3, 1]) },
  },
  rotate: {
    shapes: { a: [2, 2, 8] },
    build: ({ a, at, cos, sin }) => rotate(a!, { cos: cos!, sin: sin!, positions: at! }, 2),
    integers: { at: indices([0, 1, 3, 2], [2, 2]) },
    fixed: { cos: { shape: [4, 2], data: angles(Math.cos) }, sin: { shape: [4, 2], data: angles(Math.sin) } },
  },
  "treeAttention, two queries a key": {
    shapes: { q: [7, 8], k: [7, 4], v: [7, 4] },
    build: ({ q, k, v, ...at }) =>
      treeAttention(
        q!,
        k!,
        v!,
        {
          trunks: { queries: at.trunk_queries!, keys: at.trunk_keys!, mask: at.trunk_mask! },
          branches: { queries: at.branch_queries!, keys: at.branch_keys!, mask: at.branch_mask! },
          seats: at.seats!,
          key_seats: at.key_seats!,
        },
        0.5,
      ),
    integers: TREES.integers,
    fixed: TREES.fixed,
  },
  "recomputed, with a weight from outside": {
    shapes: { a: x, w: [4, 4] },
    build: ({ a, w }) =>
      basic.mul(
        recomputed((inner) => basic.add(inner, softmax(linear(inner, w!))), basic.exp(a!)),
        a!,
      ),
  },
  "recomputed, but for what is kept": {
    shapes: { a: x, w: [4, 4], v: [4, 4] },
    build: ({ a, w, v }) =>
      recomputed((inner, keep) => {
        const first = keep(linear(inner, w!));
        return basic.mul(basic.exp(keep(linear(basic.sigmoid(first), v!))), basic.add(first, inner));
      }, a!),
  },
  "recomputed, one in the other": {
    shapes: { a: x, w: [4, 4] },
    build: ({ a, w }) =>
      recomputed(
        (outer) =>
          basic.add(
            recomputed((inner) => basic.sigmoid(linear(inner, w!)), outer),
            linear(outer, w!),
          ),
        a!,
      ),
  },
};

test.each(Object.entries(CASES))("the derivative of %s is that of finite differences", async (_name, one) => {
  const inputs = Object.fromEntries(
    Object.entries(one.shapes).map(([name, shape], index) => {
      const numbers = someNumbers(shape, 7 + index);
      return [name, one.prepare ? { ...numbers, data: numbers.data.map(one.prepare) } : numbers];
    }),
  );
  const error = await gradientError(inputs, one.build, {
    ...(one.integers && { integers: one.integers }),
    ...(one.fixed && { fixed: one.fixed }),
  });
  expect(error).toBeLessThan(1e-7);
});

test("the comparison notices a wrong derivative", async () => {
  const error = await gradientError({ a: someNumbers(x, 1) }, ({ a }) =>
    basic.elementwise("Exp", a!, (gradient, _x, y) => basic.mul(gradient, basic.mul(y, 1.00001))),
  );
  expect(error).toBeGreaterThan(5e-6);
});

test("every operator is in the table", () => {
  const operators = {
    ...basic,
    gemm,
    linear,
    softmax,
    logSoftmax,
    rmsNorm,
    swiglu,
    gatherRows,
    pickElements,
    takeRows,
    rotate,
    treeAttention,
  };
  const helpers = ["elementwise", "shapeTensor", "sumTo", "term", "zeros"];
  const missing = Object.keys(operators).filter(
    (name) => !helpers.includes(name) && !Object.keys(CASES).some((known) => known.split(/[ ,]/)[0] === name),
  );
  expect(Object.keys(operators).length).toBeGreaterThan(30);
  expect(missing).toEqual([]);
});
