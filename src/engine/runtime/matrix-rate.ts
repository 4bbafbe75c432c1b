import { performance } from "node:perf_hooks";
import { Graph } from "../graph/graph.ts";
import { gemm } from "../graph/ops/matmul.ts";
import { openInPlaceSession } from "./in-place-session.ts";
import { tensorMaker } from "./session.ts";

/** Floating-point operations a second of a large matrix product (2048 x 576 by 576 x 1536), the best of `runs`: what most of training is made of. */
export async function matrixRate(threads: number, runs: number): Promise<number> {
  const [n, k, m] = [2048, 576, 1536];
  const graph = new Graph();
  graph.output("y", gemm(graph.input("a", [n, k]), graph.input("b", [m, k]), { transpose_b: true }));
  const session = await openInPlaceSession(graph, { threads });
  const tensor = await tensorMaker();
  const filled = (size: number) => new Float32Array(size).fill(0.5);
  const feeds = { a: tensor(filled(n * k), [n, k]), b: tensor(filled(m * k), [m, k]) };
  const into = { y: tensor(new Float32Array(n * m), [n, m]) };
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run += 1) {
    const began = performance.now();
    await session.run(feeds, into);
    best = Math.min(best, performance.now() - began);
  }
  await session.release();
  return (2 * n * k * m * 1000) / best;
}
