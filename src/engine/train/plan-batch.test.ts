import { expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { smallData } from "./__fixtures__/small-model.ts";
import { unitsOf, weighted } from "./batches.ts";
import { type MicroBatchPlan, makeMicroBatch, treeLength } from "./micro-batch.ts";
import { planLanes, planMicroBatches, treeRoom } from "./plan-batch.ts";
import { ANY_ROWS } from "./steady-sums.ts";
import { sequenceAt, type TrainingData, trainingDataBuilder } from "./training-data.ts";
import { TrainingOptions } from "./training-options.ts";

/** Many prompts with many replies of many lengths. */
function manyRows(seed: number): TrainingData {
  const random = seededRandom(seed);
  const ids = (count: number) => Array.from({ length: count }, () => Math.floor(random() * 50));
  const builder = trainingDataBuilder();
  for (let prompt = 0; prompt < 8; prompt += 1) {
    const asked = ids(1 + Math.floor(random() * 12));
    const replies = Array.from({ length: 2 + Math.floor(random() * 5) }, () => ids(1 + Math.floor(random() * 9)));
    for (let reply = 1; reply < replies.length; reply += 1) {
      builder.pair(prompt + 1, asked, replies[Math.floor(random() * reply)]!, replies[reply]!);
    }
  }
  return builder.data;
}

const options = TrainingOptions.parse({ dpo: { sft_loss_weight: 0.5 } });
const everything = (data: TrainingData) => weighted(data, unitsOf(data, options), options);
const tokensOf = (data: TrainingData, { trees }: MicroBatchPlan) => {
  const lengths = trees.map((tree) => treeLength(data, tree));
  return lengths.length * Math.max(...lengths);
};

test.each([1, 2, 3, 4, 5])("however a batch is cut, each pair and each likelihood counts once (seed %i)", (seed) => {
  const data = manyRows(seed);
  const batch = everything(data);
  for (const max_tokens of [32, 64, 1000]) {
    const plans = planMicroBatches(data, batch, { max_tokens, hidden_size: 16 });
    const pairs = plans.flatMap((plan) => plan.pairs);
    expect(pairs.map(({ row, chosen, rejected }) => [row, chosen, rejected]).sort()).toEqual(
      batch.pairs.map(({ row, chosen, rejected }) => [row, chosen, rejected]).sort(),
    );
    const likelihood = plans.flatMap((plan) => [...plan.likelihood]);
    expect(likelihood.sort(([a], [b]) => a - b)).toEqual([...batch.likelihood].sort(([a], [b]) => a - b));
    expect(Math.max(...plans.map((plan) => tokensOf(data, plan)))).toBeLessThanOrEqual(max_tokens);
    for (const { trees, pairs: own } of plans) {
      const there = new Set(trees.flatMap(({ sequences }) => sequences));
      expect(own.every(({ chosen, rejected }) => there.has(chosen) && there.has(rejected))).toBe(true);
    }
  }
});

test.each([1, 2, 3, 4, 5])("two lanes share a batch, about half each (seed %i)", (seed) => {
  const data = manyRows(seed);
  const batch = everything(data);
  for (const max_tokens of [64, 1000]) {
    const lanes = planLanes(data, batch, 2, { max_tokens, hidden_size: 16 });
    const trees = lanes.map((plans) => plans.flatMap((plan) => plan.trees));
    const longest = Math.max(...trees.flat().map((tree) => treeLength(data, tree)));
    const [one = 0, two = 0] = trees.map((own) => own.reduce((sum, tree) => sum + treeLength(data, tree), 0));
    expect(Math.abs(one - two)).toBeLessThanOrEqual(longest);
    const plans = lanes.flat();
    expect(Math.max(...plans.map((plan) => tokensOf(data, plan)))).toBeLessThanOrEqual(
      Math.max(max_tokens / 2, longest),
    );
    expect(plans.flatMap(({ pairs }) => pairs)).toHaveLength(batch.pairs.length);
    expect(plans.flatMap(({ likelihood }) => [...likelihood]).sort(([a], [b]) => a - b)).toEqual(
      [...batch.likelihood].sort(([a], [b]) => a - b),
    );
  }
});

test("a batch of one prompt leaves the second lane nothing", () => {
  const data = smallData();
  const first = data.pairs.filter(({ chosen }) => sequenceAt(data, chosen).prompt === 0);
  const pairs = first.map((pair) => ({ ...pair, weight: 1 }));
  const [one, two] = planLanes(data, { pairs, likelihood: new Map() }, 2, { max_tokens: 1000, hidden_size: 16 });
  expect([one?.length, two?.length]).toEqual([1, 0]);
});

test("a prompt stands once for all its replies while they fit", () => {
  const data = smallData();
  const [plan, ...more] = planMicroBatches(data, everything(data), { max_tokens: 1000, hidden_size: 16 });
  expect(more).toEqual([]);
  expect(plan!.trees.map(({ prompt }) => prompt).sort()).toEqual([0, 1, 2, 3]);
  expect(plan!.trees.flatMap(({ sequences }) => sequences)).toHaveLength(data.sequences.length);
});

test("a data set of one prompt is no tree of all its replies: attention would be over every pair of them", () => {
  const builder = trainingDataBuilder();
  for (let row = 0; row < 60; row += 1) builder.pair(row + 1, [1, 2, 3], [4, row, 5, 6, 7], [8, row, 9, 10, 11]);
  const { data } = builder;
  const plans = planMicroBatches(data, everything(data), { max_tokens: 4096, hidden_size: 16 });
  const trees = plans.flatMap((plan) => plan.trees);
  expect(Math.max(...trees.map((tree) => treeLength(data, tree)))).toBeLessThanOrEqual(treeRoom(3, 16));
  // 3 + 4 n within 140 tokens: 34 replies.
  expect(trees.map(({ sequences }) => sequences.length)).toEqual([34, 34, 34, 18]);
  expect(plans.flatMap(({ pairs }) => pairs)).toHaveLength(60);
});

test("a tree may be wider where attention is a small part of a step", () => {
  expect([treeRoom(10, 64), treeRoom(128, 64), treeRoom(128, 576)]).toEqual([168, 640, 1152]);
});

test("equal lists of ids are one, however long they are", () => {
  const builder = trainingDataBuilder();
  const long = Array.from({ length: 300_000 }, (_, id) => id);
  builder.pair(1, long, [1], [2]);
  builder.pair(2, [...long], [2], [258]);
  expect(builder.data.prompts).toHaveLength(1);
  expect(builder.data.sequences.map(({ completion }) => [...completion])).toEqual([[1], [2], [258]]);
});

test("wanted tokens are cut into equal parts, and what fills the last one has no weight", () => {
  const data = smallData();
  const [plan] = planMicroBatches(data, everything(data), { max_tokens: 1000, hidden_size: 16 });
  const settings = {
    chunks: 4,
    heads: { query: 4, key: 2 },
    least: ANY_ROWS,
    average: true,
    preference_weight: 2,
    reference: null,
  };
  const { inputs, wanted: places, spans } = makeMicroBatch(data, plan!, settings);
  const [token_weights, sums, pair_weights] = ["token_weights", "sums", "pair_weights"].map(
    (name) => inputs[name]!.data as Float32Array,
  ) as [Float32Array, Float32Array, Float32Array];
  const each = places / 4;
  const wanted = data.sequences.reduce((sum, { completion }) => sum + completion.length, 0);
  expect(each).toBe(Math.ceil(wanted / 4));
  expect(token_weights).toHaveLength(4 * each);
  expect([...token_weights.subarray(wanted)].every((weight) => weight === 0)).toBe(true);
  spans.forEach(({ sequence, start, end }, index) => {
    const row = sums.subarray(index * 4 * each, (index + 1) * 4 * each);
    expect(end - start).toBe(sequenceAt(data, sequence).completion.length);
    expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
  });
  expect(pair_weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(2, 6);
});
