import { expect, test } from "vitest";
import { Graph } from "../graph/graph.ts";
import { add, mul } from "../graph/ops/basic.ts";
import { openInPlaceSession } from "./in-place-session.ts";
import { tensorMaker } from "./session.ts";

test("every output is written where the caller wants it, and large constants are part of the graph", async () => {
  const graph = new Graph();
  const x = graph.input("x", ["N", 300]);
  const weights = Float32Array.from({ length: 300 }, (_, at) => at);
  graph.output("sum", add(x, graph.constant(weights, [300])));
  graph.output("double", mul(x, 2));
  const session = await openInPlaceSession(graph, { threads: 1 });
  const tensor = await tensorMaker();

  const [sum, double] = [new Float32Array(600), new Float32Array(600)];
  for (const start of [1, 5]) {
    await session.run(
      { x: tensor(new Float32Array(600).fill(start), [2, 300]) },
      { sum: tensor(sum, [2, 300]), double: tensor(double, [2, 300]) },
    );
    expect([sum[0], sum[299], sum[300], sum[599]]).toEqual([start, start + 299, start, start + 299]);
    expect([double[0], double[599]]).toEqual([2 * start, 2 * start]);
  }
  await session.release();
});

test("a run that fails says so", async () => {
  const graph = new Graph();
  graph.output("double", mul(graph.input("x", ["N"]), 2));
  const session = await openInPlaceSession(graph, { threads: 1 });
  const tensor = await tensorMaker();
  const wrong_shape = { double: tensor(new Float32Array(3), [3]) };
  await expect(session.run({ x: tensor(new Float32Array(2), [2]) }, wrong_shape)).rejects.toThrow(/shape/i);
  await session.release();
});
