import { dimensionAt, product } from "../dimensions.ts";
import type { Value } from "../graph.ts";
import { add, div, mul, reduceSum, reshape, sqrt, sub, term } from "./basic.ts";
import { gemm } from "./matmul.ts";

/**
 * x / sqrt(mean(x^2) + epsilon) * weight over the last axis (Zhang and Sennrich 2019): x [..., d], weight [d].
 * With r the inverse root mean square and g = dL/dy: dL/dx = r g weight - x r^3 mean(g weight x), and dL/dweight is the sum
 * of r g x over rows, a product of a row and a matrix.
 */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  const { graph } = x;
  const { made } = graph.recorded(() => forward(x, weight, epsilon));
  const [y, inverse] = made;
  const size = Number(dimensionAt(x.shape, -1));
  const rows = product(...x.shape.slice(0, -1));
  return graph.differentiable(y, [x, weight], (gradient) => {
    const shared = mul(gradient, x);
    return [
      term(() => {
        const column = reshape(weight, [size, 1]);
        const along = gemm(reshape(shared, [rows, size]), column, { alpha: 1 / size });
        const third = mul(mul(inverse, inverse), inverse);
        return sub(mul(mul(gradient, weight), inverse), mul(x, mul(reshape(along, inverse.shape), third)));
      }),
      (sum) => {
        const so_far = sum && reshape(sum, [1, size]);
        return reshape(gemm(reshape(inverse, [1, rows]), reshape(shared, [rows, size]), {}, so_far), weight.shape);
      },
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
