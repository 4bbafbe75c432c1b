import { expect, test } from "vitest";
import { openSession, tensorMaker } from "../../runtime/session.ts";
import { someNumbers } from "../__fixtures__/finite-differences.ts";
import { HEADS, SEEN, TREES } from "../__fixtures__/trees.ts";
import { Graph } from "../graph.ts";
import { treeAttention } from "./attention.ts";

const SIZE = 3;

/** Of one head of one token, over what it sees. */
function plainly(q: Float64Array, k: Float64Array, v: Float64Array, token: number, head: number): number[] {
  const key_head = Math.floor(head / (HEADS.query / HEADS.key));
  const row = (x: Float64Array, of: number, heads: number, at: number) =>
    x.subarray((of * heads + at) * SIZE, (of * heads + at + 1) * SIZE);
  const weights = SEEN[token]!.map((other) => {
    const key = row(k, other, HEADS.key, key_head);
    return Math.exp(0.5 * row(q, token, HEADS.query, head).reduce((sum, value, at) => sum + value * key[at]!, 0));
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Array.from({ length: SIZE }, (_, at) =>
    SEEN[token]!.reduce((sum, other, i) => sum + (weights[i]! / total) * row(v, other, HEADS.key, key_head)[at]!, 0),
  );
}

test("each token of a tree gets what it would get from its trunk and its own branch alone", async () => {
  const graph = new Graph({ float: "float64" });
  const [q, k, v] = [someNumbers([7, 4 * SIZE], 1), someNumbers([7, 2 * SIZE], 2), someNumbers([7, 2 * SIZE], 3)];
  const given = { q, k, v, ...TREES.fixed, ...TREES.integers };
  const at = Object.fromEntries(
    Object.entries(given).map(([name, { shape, data }]) => {
      return [name, graph.input(name, shape, data instanceof BigInt64Array ? { type: "int64" } : {})];
    }),
  );
  const layout = {
    trunks: { queries: at.trunk_queries!, keys: at.trunk_keys!, mask: at.trunk_mask! },
    branches: { queries: at.branch_queries!, keys: at.branch_keys!, mask: at.branch_mask! },
    seats: at.seats!,
    key_seats: at.key_seats!,
  };
  graph.output("y", treeAttention(at.q!, at.k!, at.v!, layout, 0.5));
  const tensor = await tensorMaker();
  const session = await openSession(graph, { threads: 1 });
  const { y } = await session.run(
    Object.fromEntries(Object.entries(given).map(([name, { data, shape }]) => [name, tensor(data, shape)])),
  );
  await session.release();

  const expected = SEEN.flatMap((_, token) =>
    Array.from({ length: HEADS.query }, (_, head) => plainly(q.data, k.data, v.data, token, head)).flat(),
  );
  const difference = expected.map((value, at) => Math.abs(value - Number(y!.data[at])));
  expect(difference).toHaveLength(7 * 4 * SIZE);
  expect(Math.max(...difference)).toBeLessThan(1e-14);
});
