import { expect, test } from "vitest";
import { openSession, tensorMaker } from "../runtime/session.ts";
import { Graph } from "./graph.ts";
import { gradientsLast, liveNodes, onnxModel } from "./onnx-model.ts";
import { add, exp, mul, neg } from "./ops/basic.ts";

function small() {
  const graph = new Graph();
  const x = graph.input("x", ["N"]);
  const shared = exp(x);
  const first = neg(shared);
  neg(first);
  const second = mul(shared, 2);
  graph.output("first", first);
  graph.output("second", add(second, first));
  graph.output("third", add(second, 1));
  return graph;
}

test("nodes that no output needs are left out", () => {
  expect(liveNodes(small()).map(({ op }) => op)).toEqual(["Exp", "Neg", "Mul", "Add", "Add"]);
});

test("nodes that nothing takes from stand at the end, the first made of them last", () => {
  const graph = small();
  const [second, third] = graph.outputs.slice(1).map(({ from }) => from);
  const order = gradientsLast(liveNodes(graph));
  expect(order.map(({ outputs }) => outputs[0]).slice(-2)).toEqual([third, second]);
  expect(order).toHaveLength(5);
});

test("the bytes are a model that onnxruntime runs, for any size of a named dimension", async () => {
  const graph = small();
  expect(onnxModel(graph).length).toBeGreaterThan(100);
  const session = await openSession(graph, { threads: 1 });
  const tensor = await tensorMaker();
  for (const numbers of [[0], [0, Math.LN2]]) {
    const { first, second, third } = await session.run({ x: tensor(Float32Array.from(numbers), [numbers.length]) });
    const e = numbers.map(Math.exp);
    expect([...(first!.data as Float32Array)]).toEqual(e.map((value) => expect.closeTo(-value, 5)));
    expect([...(second!.data as Float32Array)]).toEqual(e.map((value) => expect.closeTo(value, 5)));
    expect([...(third!.data as Float32Array)]).toEqual(e.map((value) => expect.closeTo(2 * value + 1, 5)));
  }
  await session.release();
});

test("an output may be an input, or stand under two names", async () => {
  const graph = new Graph();
  const x = graph.input("x", [1]);
  const y = exp(x);
  graph.output("x again", x);
  graph.output("y", y);
  graph.output("y again", y);
  const session = await openSession(graph, { threads: 1 });
  const tensor = await tensorMaker();
  const outputs = await session.run({ x: tensor(Float32Array.of(0), [1]) });
  expect(Object.values(outputs).map(({ data }) => Number(data[0]))).toEqual([0, 1, 1]);
  await session.release();
});

test("shapes that do not fit are refused where the graph is built", () => {
  const graph = new Graph();
  const a = graph.input("a", [2, 3]);
  expect(() => add(a, graph.input("b", [2]))).toThrow("shapes [2,3] and [2] do not fit together");
  expect(() => graph.input("a", [1])).toThrow("input a is there already");
});
