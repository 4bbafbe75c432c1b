import { product } from "../dimensions.ts";
import type { Value } from "../graph.ts";
import { add, mul, reduceSum, reshape, sub, term } from "./basic.ts";
import { batchedMatmul } from "./matmul.ts";
import { softmax } from "./softmax.ts";

/**
 * Scaled dot-product attention with the queries of a group side by side on their one key head:
 * queries [B, K, G*S, d], keys and values [B, K, T, d], mask [B, 1, 1, S, T] (0, or -1e30 where nothing is seen).
 *
 * With P the attention weights and O = P V: dV = P^T dO, dS = P * (dO V^T - rowsum(dO * O)), dQ = scale dS K,
 * dK = scale dS^T Q. rowsum(dO * O) equals rowsum(P * dP) and is over d numbers instead of T (Dao et al. 2022).
 */
export function attention(queries: Value, keys: Value, values: Value, mask: Value, scale: number): Value {
  const { graph } = queries;
  const { made } = graph.recorded(() => {
    const scores = batchedMatmul(queries, keys, { transpose_b: true, alpha: scale });
    const [B = 1, K = 1, stacked = 1] = queries.shape;
    const [S = 1, T = 1] = mask.shape.slice(-2);
    const grouped = [B, K, groupsIn(stacked, S), S, T];
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

/** G of the dimension G*S. */
function groupsIn(stacked: string | number, S: string | number): number {
  if (typeof stacked === "number" && typeof S === "number") return stacked / S;
  const factor = /^(?:(\d+)\*)?(.+)$/.exec(String(stacked));
  const groups = Number(factor?.[1] ?? 1);
  if (product(groups, S) !== stacked) throw new RangeError(`${stacked} is no multiple of ${S}`);
  return groups;
}
