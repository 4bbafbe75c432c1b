import { performance } from "node:perf_hooks";
import { Graph } from "../src/engine/graph/graph.ts";
import { gemm } from "../src/engine/graph/ops/matmul.ts";
import { openSession, tensorMaker } from "../src/engine/runtime/session.ts";

/** GFLOP/s of onnxruntime's matrix product at its best: 2048 x 576 times 576 x 1536, the best of some runs. */
export async function matrixPeak(threads: number, runs = 30): Promise<number> {
  const [n, k, m] = [2048, 576, 1536];
  const graph = new Graph();
  graph.output("y", gemm(graph.input("a", [n, k]), graph.input("b", [m, k]), { transpose_b: true }));
  const session = await openSession(graph, { threads });
  const tensor = await tensorMaker();
  const filled = (size: number) => new Float32Array(size).fill(0.5);
  const feeds = { a: tensor(filled(n * k), [n, k]), b: tensor(filled(m * k), [m, k]) };
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run += 1) {
    const began = performance.now();
    await session.run(feeds);
    best = Math.min(best, performance.now() - began);
  }
  await session.release();
  return (2 * n * k * m) / best / 1e6;
}
