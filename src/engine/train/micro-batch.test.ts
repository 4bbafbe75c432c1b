import { expect, test } from "vitest";
import { type Filled, type MicroBatch, makeMicroBatch, type Tree } from "./micro-batch.ts";
import { ANY_ROWS } from "./steady-sums.ts";
import { type TrainingData, trainingDataBuilder } from "./training-data.ts";

const numbers = ({ data }: Filled) => Array.from(data, Number);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

function laidOut(
  data: TrainingData,
  trees: Tree[],
  { heads = { query: 1, key: 1 }, tokens = 1 } = {},
): MicroBatch["inputs"] {
  const pairs = data.pairs.map((pair) => ({ ...pair, weight: 1 }));
  const least = { ...ANY_ROWS, tokens };
  const settings = { chunks: 1, heads, least, average: false, preference_weight: 1, reference: null };
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

const tree = (...sequences: number[]): Tree => ({ prompt: 0, sequences });

function short() {
  const builder = trainingDataBuilder();
  builder.pair(1, [7, 8], [1, 2, 3], [4, 5]);
  return builder.data;
}

/** A prompt of 40 tokens with replies that stand in its row with 30 and 28: as tokens 40 to 69 and 70 to 97. */
function long() {
  const builder = trainingDataBuilder();
  builder.pair(1, range(0, 40), range(100, 131), range(200, 229));
  return builder.data;
}

test("a token of a short row sees its prompt and its own reply up to itself, and nothing else", () => {
  const given = laidOut(short(), [tree(0, 1)]);
  // 7 8 | 1 2 | 4: the last token of a reply predicts nothing.
  expect(numbers(given.tokens!)).toEqual([7, 8, 1, 2, 4]);
  expect(numbers(given.positions!)).toEqual([0, 1, 2, 3, 2]);
  expect(given.trunk_mask!.shape).toEqual([1, 1, 1, 5, 5]);
  expect(given.branch_mask!.shape).toEqual([1, 0, 1, 1, 1, 6]);
  expect(range(0, 5).map((token) => seenBy(token, given))).toEqual([[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 4]]);
});

test("long replies are branches of their own, and a token of them sees the same", () => {
  const given = laidOut(long(), [tree(0, 1)]);
  expect(given.trunk_mask!.shape).toEqual([1, 1, 1, 40, 40]);
  expect(given.branch_mask!.shape).toEqual([1, 2, 1, 1, 30, 70]);
  expect(range(0, 98).map((token) => seenBy(token, given))).toEqual(
    range(0, 98).map((token) => {
      if (token < 70) return range(0, token + 1);
      return [...range(0, 40), ...range(70, token + 1)];
    }),
  );
  expect(numbers(given.positions!).slice(38, 42)).toEqual([38, 39, 40, 41]);
  expect(numbers(given.positions!).slice(68, 72)).toEqual([68, 69, 40, 41]);
});

test("the last block goes on with what something follows", () => {
  const given = laidOut(short(), [tree(0, 1)]);
  // Tokens 1 to 4 are followed by something, the first of them twice; nothing follows what fills the last place.
  expect(numbers(given.wanted!)).toEqual([1, 2, 3, 4, 0]);
  expect(numbers(given.places!)).toEqual([4, 0, 1, 2, 3]);
  expect(numbers(given.wanted_trunk_mask!).slice(0, 5)).toEqual([0, 0, ...Array(3).fill(Math.fround(-1e30))]);
  expect(numbers(given.select!)).toEqual([0, 1, 2, 0, 3]);
  expect(numbers(given.targets!)).toEqual([1, 2, 3, 4, 5]);
  expect(numbers(given.sums!)).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 1, 1]);
  expect(numbers(given.pairs!)).toEqual([1, -1]);
  expect(numbers(given.token_weights!)).toEqual([0.5, 0.5, 0.5, 0, 0]);
});

test("of a trunk with branches it goes on with the prompt's last token, and with both branches", () => {
  const given = laidOut(long(), [tree(0, 1)]);
  // Two places of the trunk, the second one nobody's, and two at the end of the shorter branch that are nobody's either.
  expect(numbers(given.wanted!)).toEqual([39, 0, ...range(40, 70), ...range(70, 98), 0, 0]);
  expect(numbers(given.places!)).toEqual([...Array(39).fill(1), 0, ...range(2, 60)]);
  expect(numbers(given.select!)).toEqual([0, ...range(2, 32), 0, ...range(32, 60)]);
  expect(numbers(given.targets!)).toEqual([...range(100, 131), ...range(200, 229)]);
});

test("rows that are unlike each other stand in their trunks whole; what only fills one up sees itself", () => {
  const builder = trainingDataBuilder();
  builder.pair(1, [1], [2, 3], range(0, 91));
  builder.pair(2, range(0, 90), [4], [5, 6, 7]);
  const given = laidOut(builder.data, [tree(0, 1), { prompt: 1, sequences: [2, 3] }]);
  expect(given.trunk_mask!.shape).toEqual([2, 1, 1, 92, 92]);
  expect([0, 1, 2, 3, 91, 92 + 89].map((token) => seenBy(token, given))).toEqual([
    [0],
    [0, 1],
    [0, 2],
    [0, 2, 3],
    [0, ...range(2, 92)],
    range(92, 182),
  ]);
  const shorter = laidOut(builder.data, [tree(0, 1), { prompt: 1, sequences: [2] }]);
  expect([92 + 89, 92 + 90, 92 + 91].map((token) => seenBy(token, shorter))).toEqual([range(92, 182), [182], [183]]);
});

test("fewer tokens than are needed make longer rows, and what fills them up sees itself", () => {
  const apart = laidOut(long(), [tree(0, 1)], { tokens: 150 });
  expect(apart.tokens!.shape).toEqual([1, 150]);
  // 110 tokens beside the trunk's 40, in branches of 30.
  expect(apart.branch_mask!.shape).toEqual([1, 4, 1, 1, 30, 70]);
  expect(seenBy(97, apart)).toEqual([...range(0, 40), ...range(70, 98)]);
  expect(range(98, 150).map((token) => seenBy(token, apart))).toEqual(range(98, 150).map((token) => [token]));
  const whole = laidOut(short(), [tree(0, 1), tree(0)], { tokens: 15 });
  expect(whole.tokens!.shape).toEqual([2, 8]);
  expect(whole.trunk_mask!.shape).toEqual([2, 1, 1, 8, 8]);
  expect([...range(5, 8), ...range(12, 16)].map((token) => seenBy(token, whole))).toEqual(
    [...range(5, 8), ...range(12, 16)].map((token) => [token]),
  );
});

test("each head of a key has its rows next to each other, with the query heads that look at it", () => {
  const given = laidOut(short(), [tree(0)], { heads: { query: 4, key: 2 } });
  // Tokens 0 to 3: of each one's four heads two look at each key head: [key head, query head of it, token].
  expect(given.trunk_queries!.shape).toEqual([1, 2, 8]);
  expect(numbers(given.trunk_queries!)).toEqual([0, 1, 2, 3].flatMap((head) => [0, 4, 8, 12].map((at) => at + head)));
  expect(numbers(given.trunk_keys!)).toEqual([0, 2, 4, 6, 1, 3, 5, 7]);
  expect(numbers(given.seats!).slice(4, 8)).toEqual([1, 5, 9, 13]);
  const apart = laidOut(long(), [tree(0, 1)], { heads: { query: 4, key: 2 } });
  // The branches' seats come after the trunk's 160: token 70 is the first of the second branch.
  expect(numbers(apart.seats!).slice(4 * 70, 4 * 71)).toEqual([280, 310, 340, 370]);
  expect(numbers(apart.key_seats!).slice(2 * 70, 2 * 71)).toEqual([140, 170]);
});
