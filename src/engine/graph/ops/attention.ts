import { dimensionAt, product } from "../dimensions.ts";
import type { Value } from "../graph.ts";
import { add, mul, reduceSum, reshape, sub, term } from "./basic.ts";
import { batchedMatmul } from "./matmul.ts";
import { softmax } from "./softmax.ts";

/**
 * Scaled dot-product attention with the queries of a group side by side on their one key head:
 * queries [B, K, G*T, d], keys and values [B, K, T, d], mask [B, 1, 1, T, T] (0, or -1e30 where nothing is seen).
 *
 * With P the attention weights and O = P V: dV = P^T dO, dS = P * (dO V^T - rowsum(dO * O)), dQ = scale dS K,
 * dK = scale dS^T Q. rowsum(dO * O) equals rowsum(P * dP) and is over d numbers instead of T (Dao et al. 2022).
 */
export function attention(queries: Value, keys: Value, values: Value, mask: Value, scale: number): Value {
  const { graph } = queries;
  const { made } = graph.recorded(() => {
    const scores = batchedMatmul(queries, keys, { transpose_b: true, alpha: scale });
    const [B, K, stacked] = [0, 1, 2].map((axis) => dimensionAt(queries.shape, axis));
    const T = dimensionAt(keys.shape, 2);
    const groups = groupsIn(stacked ?? 1, T);
    const grouped = [B ?? 1, K ?? 1, groups, T, T];
    const weights = reshape(softmax(add(reshape(scores, grouped), mask)), scores.shape);
    return { weights, y: batchedMatmul(weights, values) };
  });
  const { weights, y } = made;
  return graph.differentiable(y, [queries, keys, values], (gradient) => {
    const through = batchedMatmul(gradient, values, { transpose_b: true });
    const along = reduceSum(mul(gradient, y), [-1], { keep: true });
    const scores = mul(weights, sub(through, along));
    return [
      term(() => batchedMatmul(scores, keys, { alpha: scale })),
      term(() => batchedMatmul(scores, queries, { transpose_a: true, alpha: scale })),
      term(() => batchedMatmul(weights, gradient, { transpose_a: true })),
    ];
  });
}

/** G of the dimension G*T. */
function groupsIn(stacked: string | number, T: string | number): number {
  if (typeof stacked === "number" && typeof T === "number") return stacked / T;
  const factor = /^(?:(\d+)\*)?(.+)$/.exec(String(stacked));
  const groups = Number(factor?.[1] ?? 1);
  if (product(groups, T) !== stacked) throw new RangeError(`${stacked} is no multiple of ${T}`);
  return groups;
}
