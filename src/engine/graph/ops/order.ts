import type { Value } from "../graph.ts";
import { shapeTensor, term } from "./basic.ts";

/**
 * x, but not before `cause` is there. onnxruntime runs nodes in an order of its own; what should be made late, because it
 * is large, is made to depend on what comes before it: 0 times the size of `cause` is added to the shape that x gets, its
 * own, which moves nothing in memory.
 */
export function afterwards(x: Value, cause: Value): Value {
  const { graph } = x;
  const nothing = graph.emit("Mul", [graph.emit("Size", [cause], INDEX), graph.integers([0], [])], INDEX);
  const shape = shapeTensor(graph, x.shape);
  const target = graph.emit("Add", [shape, nothing], shape);
  const y = graph.emit("Reshape", [x, target], x);
  return graph.differentiable(y, [x], (gradient) => [term(() => gradient)]);
}

const INDEX = { type: "int64", shape: [] } as const;
