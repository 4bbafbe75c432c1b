import type { Value } from "../graph.ts";
import { add, mul } from "./basic.ts";

/**
 * x, but not before `cause` is there. onnxruntime runs nodes in an order of its own; what should be made late, because it
 * is large, is made to depend on what comes before it: 0 times a number of `cause` is added.
 */
export function afterwards(x: Value, cause: Value): Value {
  const { graph } = x;
  const first = graph.withoutGradient(() => {
    const axes = cause.shape.map((_, axis) => axis);
    const bounds = [axes.map(() => 0), axes.map(() => 1), axes].map((numbers) => graph.integers(numbers));
    const slice = graph.emit("Slice", [cause, ...bounds], { type: cause.type, shape: axes.map(() => 1) });
    const flat = graph.emit("Reshape", [slice, graph.integers([1])], { type: cause.type, shape: [1] });
    return mul(flat, 0);
  });
  return add(x, first);
}
