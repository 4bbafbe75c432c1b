import type { IntegerInputs, NumberInputs } from "./finite-differences.ts";

/**
 * Two trees of seven tokens: a trunk 0 1 with branches 2 and 3, and a trunk 4 with branches 5 and 6. The second trunk has a
 * place too many, which names token 4 and sees itself alone. Four query heads, two key heads.
 */
const TRUNKS = [
  [0, 1],
  [4, 4],
];
const BRANCHES = [
  [2, 3],
  [5, 6],
];
export const HEADS = { query: 4, key: 2 };
/** What each token looks at. */
export const SEEN = [[0], [0, 1], [0, 1, 2], [0, 1, 3], [4], [4, 5], [4, 6]];

const integers = (shape: readonly number[], data: readonly number[]) => ({
  shape,
  data: BigInt64Array.from(data.map(BigInt)),
});
const headsOf = (tokens: readonly number[], heads: number) =>
  Array.from({ length: heads }, (_, head) => tokens.map((token) => token * heads + head)).flat();
const x = -1e30;

/** Trunks' places are [tree, head, 2], branches' [tree, branch, head, 1] after them. */
function seatsOf(heads: number): number[] {
  const trunk = (tree: number, at: number) => Array.from({ length: heads }, (_, head) => (tree * heads + head) * 2 + at);
  const branch = (index: number) => Array.from({ length: heads }, (_, head) => (4 + index) * heads + head);
  return [trunk(0, 0), trunk(0, 1), branch(0), branch(1), trunk(1, 0), branch(2), branch(3)].flat();
}

export const TREES: { integers: IntegerInputs; fixed: NumberInputs } = {
  integers: {
    trunk_queries: integers([2, 2, 4], TRUNKS.flatMap((tokens) => headsOf(tokens, HEADS.query))),
    trunk_keys: integers([2, 2, 2], TRUNKS.flatMap((tokens) => headsOf(tokens, HEADS.key))),
    branch_queries: integers([2, 2, 2, 2], BRANCHES.flat().flatMap((token) => headsOf([token], HEADS.query))),
    branch_keys: integers(
      [2, 2, 2, 3],
      BRANCHES.flatMap((tokens, tree) => tokens.flatMap((token) => headsOf([...TRUNKS[tree]!, token], HEADS.key))),
    ),
    seats: integers([7, 4], seatsOf(HEADS.query)),
    key_seats: integers([7, 2], seatsOf(HEADS.key)),
  },
  fixed: {
    trunk_mask: { shape: [2, 1, 1, 2, 2], data: Float64Array.of(0, x, 0, 0, 0, x, x, 0) },
    branch_mask: { shape: [2, 2, 1, 1, 1, 3], data: Float64Array.of(0, 0, 0, 0, 0, 0, 0, x, 0, 0, x, 0) },
  },
};
