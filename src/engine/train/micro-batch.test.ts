import { expect, test } from "vitest";
import { NO_LEAST } from "./__fixtures__/small-model.ts";
import { type Filled, type MicroBatch, makeMicroBatch, type Tree } from "./micro-batch.ts";
import { type TrainingData, trainingDataBuilder } from "./training-data.ts";

const numbers = ({ data }: Filled) => Array.from(data, Number);

function laidOut(data: TrainingData, trees: Tree[], heads = { query: 1, key: 1 }): MicroBatch["inputs"] {
  const pairs = data.pairs.map((pair) => ({ ...pair, weight: 1 }));
  const settings = { chunks: 1, heads, least: NO_LEAST, average: false, preference_weight: 1, reference: null };
  return makeMicroBatch(data, { trees, pairs, likelihood: new Map([[0, 0.5]]) }, settings).inputs;
}

/** Which tokens a token looks at, by the inputs alone, with one head: its seat, the mask's line there and the keys it names. */
function seenBy(token: number, given: MicroBatch["inputs"]): number[] {
  const trunks = numbers(given.trunk_queries!).length;
  const seat = numbers(given.seats!)[token]!;
  const [kind, at] = seat < trunks ? (["trunk", seat] as const) : (["branch", seat - trunks] as const);
  expect(numbers(given[`${kind}_queries`]!)[at]).toBe(token);
  const mask = given[`${kind}_mask`]!;
  const [queries = 1, width = 1] = mask.shape.slice(-2);
  const stretch = Math.floor(at / queries);
  const keys = numbers(given[`${kind}_keys`]!).slice(stretch * width, (stretch + 1) * width);
  const line = numbers(mask).slice(at * width, (at + 1) * width);
  return keys.filter((_, key) => line[key] === 0).sort((a, b) => a - b);
}

function example() {
  const builder = trainingDataBuilder();
  builder.pair(1, [7, 8], [1, 2, 3], [4, 5]);
  return builder.data;
}

test("a token sees its prompt and its own reply up to itself, and nothing else", () => {
  const given = laidOut(example(), [{ prompt: 0, sequences: [0, 1] }]);
  // 7 8 | 1 2 | 4: the last token of a reply predicts nothing.
  expect(numbers(given.tokens!)).toEqual([7, 8, 1, 2, 4]);
  expect(numbers(given.positions!)).toEqual([0, 1, 2, 3, 2]);
  expect([0, 1, 2, 3, 4].map((token) => seenBy(token, given))).toEqual([
    [0],
    [0, 1],
    [0, 1, 2],
    [0, 1, 2, 3],
    [0, 1, 4],
  ]);
  // Two of the trunk, two branches of two; one place of the second branch is nobody's.
  expect(given.trunk_mask!.shape).toEqual([1, 1, 1, 2, 2]);
  expect(given.branch_mask!.shape).toEqual([1, 2, 1, 1, 2, 4]);
  expect(numbers(given.seats!)).toEqual([0, 1, 2, 3, 4]);
});

test("the last block goes on with what something follows", () => {
  const given = laidOut(example(), [{ prompt: 0, sequences: [0, 1] }]);
  // Of the trunk token 1, which two tokens follow, and a place that nothing follows; and both branches.
  expect(numbers(given.wanted!)).toEqual([1, 0, 2, 3, 4, 0]);
  expect(numbers(given.places!)).toEqual([1, 0, 2, 3, 4]);
  expect(numbers(given.wanted_mask!)).toEqual([0, 0, 0, Math.fround(-1e30)]);
  expect(numbers(given.select!)).toEqual([0, 2, 3, 0, 4]);
  expect(numbers(given.targets!)).toEqual([1, 2, 3, 4, 5]);
  expect(numbers(given.sums!)).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 1, 1]);
  expect(numbers(given.pairs!)).toEqual([1, -1]);
  expect(numbers(given.token_weights!)).toEqual([0.5, 0.5, 0.5, 0, 0]);
});

test("rows that are unlike each other stand in their trunks whole, and the same is seen", () => {
  const builder = trainingDataBuilder();
  const long = Array.from({ length: 9 }, (_, at) => at);
  builder.pair(1, [1], [2, 3], long);
  builder.pair(2, [...long, 1], [4], [5, 6]);
  const trees = [
    { prompt: 0, sequences: [0, 1] },
    { prompt: 1, sequences: [2, 3] },
  ];
  const given = laidOut(builder.data, trees);
  // 1 | 2 | 0..7 and 0..8 1 | | 5: prompts of up to ten and replies of up to eight are more than eleven apiece.
  expect(given.trunk_mask!.shape).toEqual([2, 1, 1, 11, 11]);
  expect([0, 1, 2, 3, 9].map((token) => seenBy(token, given))).toEqual([
    [0],
    [0, 1],
    [0, 2],
    [0, 2, 3],
    [0, 2, 3, 4, 5, 6, 7, 8, 9],
  ]);
  // The first row's last token only fills it up, and sees itself.
  expect([10, 21].map((token) => seenBy(token, given))).toEqual([[10], Array.from({ length: 11 }, (_, at) => 11 + at)]);
});

test("each head of a key has its rows next to each other, with the query heads that look at it", () => {
  const given = laidOut(example(), [{ prompt: 0, sequences: [0, 1] }], { query: 4, key: 2 });
  // Of token 1's four heads two look at each key head: [key head, query head of it, token].
  expect(given.trunk_queries!.shape).toEqual([1, 2, 4]);
  expect(numbers(given.trunk_queries!)).toEqual([0, 4, 1, 5, 2, 6, 3, 7]);
  expect(numbers(given.trunk_keys!)).toEqual([0, 2, 1, 3]);
  // The branches' seats come after the trunk's eight: token 4 is the first of the second branch.
  expect(numbers(given.seats!).slice(16)).toEqual([16, 18, 20, 22]);
  expect(numbers(given.key_seats!).slice(8)).toEqual([8, 10]);
});
