import { type Dimension, dimensionAt, product } from "../dimensions.ts";
import type { GradientTerm, Value } from "../graph.ts";
import { add, mul, reduceSum, reshape, sub, term } from "./basic.ts";
import { batchedMatmul } from "./matmul.ts";
import { softmax } from "./softmax.ts";

/** Stretches of tokens, each of which looks at tokens of its own: L queries and A keys each, K key heads with G queries a key. */
export interface Stretches {
  /** Which heads of which queries, int32 [..., K, G*L]: token times heads plus head. */
  queries: Value;
  /** Which heads of which keys and values, int32 [..., K, A]. */
  keys: Value;
  /** [..., 1, 1, L, A]: 0 where a query may look at a key, -1e30 where not. */
  mask: Value;
}

/**
 * Rows of tokens as trees: the trunk of each, and branches that see the trunk and themselves but not each other, so that
 * nothing is multiplied only to be masked. A place in a stretch where no token has its seat may name any token: what is
 * computed there goes nowhere, and no gradient comes from there.
 */
export interface TreeLayout {
  /** [B, ...], of each row one: U keys. */
  trunks: Stretches;
  /** [B, S, ...], of each row S: its trunk's U keys in the same order, and after them the L of the branch itself. */
  branches: Stretches;
  /** Where each head of a query has its seat: among the trunks' queries, and after these the branches', int32 [X, H]. */
  seats: Value;
  /** Where each head of a key has its own: among the trunks' keys, and after these the branches' own ones, int32 [Y, K]. */
  key_seats: Value;
}

/** Scaled dot-product attention of X queries [X, H*d] over Y keys and values [Y, K*d]: [X, H*d]. */
export function treeAttention(q: Value, k: Value, v: Value, layout: TreeLayout, scale: number): Value {
  const { graph } = q;
  const { trunks, branches, seats, key_seats } = layout;
  const size = Number(dimensionAt(q.shape, 1)) / Number(dimensionAt(seats.shape, 1));
  const { made } = graph.recorded(() => {
    const rows = { q: headRows(q, size), k: headRows(k, size), v: headRows(v, size) };
    const parts = { trunk: attend(rows, trunks, scale), branch: attend(rows, branches, scale) };
    return { ...parts, y: reshape(seated(parts.trunk.y, parts.branch.y, seats), q.shape) };
  });
  const { trunk, branch, y } = made;
  return graph.differentiable(y, [q, k, v], (gradient) => {
    const rows = headRows(gradient, size);
    const [of_trunk, of_branch] = [trunk.back(rows), branch.back(rows)];
    const toKeys = (from: Value, beside: Value, x: Value): GradientTerm =>
      term(() => reshape(seated(...splitKeys(from, beside), key_seats), x.shape));
    return [
      term(() => reshape(seated(of_trunk.queries, of_branch.queries, seats), q.shape)),
      toKeys(of_trunk.keys, of_branch.keys, k),
      toKeys(of_trunk.values, of_branch.values, v),
    ];
  });
}

/** x [n, heads * size] with a row for each head. */
function headRows(x: Value, size: number): Value {
  const [count, width] = [dimensionAt(x.shape, 0), dimensionAt(x.shape, 1)];
  return reshape(x, [product(count, Number(width) / size), size]);
}

/**
 * With P the attention weights and O = P V: dV = P^T dO, dS = P * (dO V^T - rowsum(dO * O)), dQ = scale dS K,
 * dK = scale dS^T Q. rowsum(dO * O) equals rowsum(P * dP) and is over d numbers instead of A (Dao et al. 2022).
 */
function attend(rows: { q: Value; k: Value; v: Value }, { queries: at, keys: seen, mask }: Stretches, scale: number) {
  const [queries, keys, values] = [takeHeads(rows.q, at), takeHeads(rows.k, seen), takeHeads(rows.v, seen)];
  const scores = batchedMatmul(queries, keys, { transpose_b: true, alpha: scale });
  const [L = 1, A = 1] = mask.shape.slice(-2);
  const grouped = [...at.shape.slice(0, -1), groupsIn(dimensionAt(at.shape, -1), L), L, A];
  const weights = reshape(softmax(add(reshape(scores, grouped), mask)), scores.shape);
  const y = batchedMatmul(weights, values);
  return {
    y,
    /** From the gradient of all results, by heads. */
    back(gradient: Value) {
      const own = takeHeads(gradient, at);
      const through = batchedMatmul(own, values, { transpose_b: true });
      const along = reduceSum(mul(own, y), [-1], { keep: true });
      const by_scores = mul(weights, sub(through, along));
      return {
        queries: batchedMatmul(by_scores, keys, { alpha: scale }),
        keys: batchedMatmul(by_scores, queries, { transpose_a: true, alpha: scale }),
        values: batchedMatmul(weights, own, { transpose_a: true }),
      };
    },
  };
}

/** G of the dimension G*L. */
function groupsIn(stacked: Dimension, L: Dimension): number {
  if (typeof stacked === "number" && typeof L === "number") return stacked / L;
  const factor = /^(?:(\d+)\*)?(.+)$/.exec(String(stacked));
  const groups = Number(factor?.[1] ?? 1);
  if (product(groups, L) !== stacked) throw new RangeError(`${stacked} is no multiple of ${L}`);
  return groups;
}

function takeHeads(rows: Value, at: Value): Value {
  const shape = [...at.shape, dimensionAt(rows.shape, 1)];
  return rows.graph.emit("Gather", [rows, at], { type: rows.type, shape }, { attributes: { axis: 0 } });
}

/** What the tokens' heads have at their seats: [..., size] of the trunks and of the branches -> [X, H, size]. */
function seated(trunks: Value, branches: Value, seats: Value): Value {
  const { graph } = trunks;
  const size = dimensionAt(trunks.shape, -1);
  const [first, second] = [trunks, branches].map((x) => reshape(x, [product(...x.shape.slice(0, -1)), size]));
  const all = { type: trunks.type, shape: ["places", size] };
  return takeHeads(graph.emit("Concat", [first, second], all, { attributes: { axis: 0 } }), seats);
}

/**
 * The gradients of keys in their two places: of the trunks [B, K, U, size], with what came to them from their branches
 * [B, S, K, A, size]; and of the branches' own ones.
 */
function splitKeys(trunks: Value, branches: Value): [Value, Value] {
  const { graph, type } = branches;
  const [B = 1, S = 1, K = 1, A = 1, size = 1] = branches.shape;
  const U = dimensionAt(trunks.shape, 2);
  const axis = graph.integers([3]);
  const cut = (from: Value, to: Value, L: Dimension) =>
    graph.emit("Slice", [branches, from, to, axis], { type, shape: [B, S, K, L, size] });
  const shared = cut(graph.integers([0]), graph.dimension(U), U);
  const own = cut(graph.dimension(U), graph.dimension(A), "own");
  return [add(trunks, reduceSum(shared, [1])), own];
}
