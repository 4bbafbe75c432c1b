import { dimensionAt } from "../dimensions.ts";
import type { Value } from "../graph.ts";
import { add, div, mul, reduceSum, sqrt, sub, sumTo, term } from "./basic.ts";

/**
 * x / sqrt(mean(x^2) + epsilon) * weight over the last axis (Zhang and Sennrich 2019): x [..., d], weight [d].
 * With r the inverse root mean square, n = x r and g = dL/dy * weight: dL/dx = r (g - n mean(g n)).
 */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  const { graph } = x;
  const { made } = graph.recorded(() => forward(x, weight, epsilon));
  const [y, inverse] = made;
  const size = Number(dimensionAt(x.shape, -1));
  return graph.differentiable(y, [x, weight], (gradient) => {
    const normed = mul(x, inverse);
    return [
      term(() => {
        const through = mul(gradient, weight);
        const along = mul(reduceSum(mul(through, normed), [-1], { keep: true }), 1 / size);
        return mul(sub(through, mul(normed, along)), inverse);
      }),
      term(() => sumTo(mul(gradient, normed), weight.shape)),
    ];
  });
}

/** The normed values, and the inverse root mean square [..., 1] that they were made with. */
function forward(x: Value, weight: Value, epsilon: number): [Value, Value] {
  const { graph } = x;
  const one_each = [...x.shape.slice(0, -1), 1];
  if (x.type === "float32") {
    const outputs = [
      { type: x.type, shape: x.shape },
      { type: x.type, shape: one_each },
    ];
    const attributes = { axis: -1, epsilon: { float: epsilon } };
    const [y, inverse] = graph.emitMany("SimplifiedLayerNormalization", [x, weight], outputs, { attributes });
    if (y !== undefined && inverse !== undefined) return [y, inverse];
  }
  const size = Number(dimensionAt(x.shape, -1));
  const mean_square = mul(reduceSum(mul(x, x), [-1], { keep: true }), 1 / size);
  const inverse = div(graph.scalar(1), sqrt(add(mean_square, epsilon)));
  return [mul(mul(x, inverse), weight), inverse];
}
