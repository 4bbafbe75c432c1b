import { expect, test } from "vitest";
import { openSession, tensorMaker } from "../../runtime/session.ts";
import { someNumbers } from "../__fixtures__/finite-differences.ts";
import { Graph } from "../graph.ts";
import { STEADY_THREADS } from "../thread-pieces.ts";
import { type GemmOptions, gemm } from "./matmul.ts";

/** A product of few rows with a matrix whose columns are a few more than eight narrow pieces: [rows, 512] by [512, 576]. */
async function product(rows: number, options: GemmOptions, threads: number): Promise<Float32Array> {
  const graph = new Graph();
  const [a, b] = [graph.input("a", ["M", 512]), graph.input("b", [512, 576])];
  graph.output("y", gemm(a, b, options));
  const session = await openSession(graph, { threads });
  const tensor = await tensorMaker();
  const numbers = (shape: number[], seed: number) => tensor(Float32Array.from(someNumbers(shape, seed).data), shape);
  const { y } = await session.run({ a: numbers([rows, 512], 1), b: numbers([512, 576], 2) });
  await session.release();
  return y!.data as Float32Array;
}

const sameBits = (a: Float32Array, b: Float32Array) => Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
const largest = (numbers: Float32Array) => numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

test.each([2, 171, 300, 576, 577, 600, 639, 640, 1000])(
  "a product of %i rows, mostly few, has the same bits with any number of threads",
  async (rows) => {
    const alone = await product(rows, { few_rows: true }, 1);
    for (let threads = 2; threads <= STEADY_THREADS; threads += 1) {
      expect(sameBits(await product(rows, { few_rows: true }, threads), alone)).toBe(true);
    }
    const plain = await product(rows, {}, 1);
    expect(largest(plain.map((value, at) => value - alone[at]!))).toBeLessThan(1e-5 * largest(plain));
  },
);

test("without that its bits are others where one of eight threads has a narrow piece", async () => {
  expect(sameBits(await product(171, {}, 8), await product(171, {}, 1))).toBe(false);
});
