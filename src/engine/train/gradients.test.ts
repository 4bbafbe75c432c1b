import { expect, test } from "vitest";
import { initialWeights } from "../model/initial-weights.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { SMALL } from "./__fixtures__/small-model.ts";
import { unitsOf, weighted } from "./batches.ts";
import { openGradients } from "./gradients.ts";
import { makeMicroBatch } from "./micro-batch.ts";
import { layoutOf } from "./parameter-store.ts";
import { planMicroBatches } from "./plan-batch.ts";
import { shapesOf } from "./sequence-scorer.ts";
import { leastRows } from "./steady-sums.ts";
import { type TrainingData, trainingDataBuilder } from "./training-data.ts";
import { preferenceOf, TrainingOptions } from "./training-options.ts";
import { headsOf } from "./tree-layout.ts";

const ids = (count: number, from: number, vocabulary: number) =>
  Array.from({ length: count }, (_, at) => (from * 7 + at * at) % vocabulary);

/** The gradients of a batch as one micro-batch, with one, two, four and eight threads, and how large that was. */
async function byThreads(config: ModelConfig, data: TrainingData) {
  const options = TrainingOptions.parse({ dpo: { sft_loss_weight: 0.3 } });
  const batch = weighted(data, unitsOf(data, options), options);
  const plans = planMicroBatches(data, batch, { max_tokens: 2048, hidden_size: config.hidden_size });
  const settings = {
    chunks: 1,
    heads: headsOf(config),
    least: leastRows(config),
    average: false,
    preference_weight: 1,
  };
  const reference = Float64Array.from(data.sequences, () => -9);
  const made = plans.map((plan) => makeMicroBatch(data, plan, { ...settings, reference }));
  const weights = initialWeights(config, { deviation: 0.3, seed: 1 });
  const layout = layoutOf(shapesOf(weights));
  const bytes: string[] = [];
  for (const threads of [1, 2, 4, 8]) {
    const arrays = { values: new Float32Array(layout.size), gradients: new Float32Array(layout.size) };
    for (const [name, { data: numbers }] of weights) layout.view(arrays.values, name).data.set(numbers);
    const gradients = await openGradients({
      graph: {
        ...{ config, trainable: shapesOf(weights), preference: preferenceOf(options), chunks: 1 },
        ...{ recompute: "nothing", max_length: 640 },
      },
      frozen: new Map(),
      threads,
    });
    const sum = await gradients.over(arrays);
    await sum(made);
    await gradients.release();
    bytes.push(Buffer.from(arrays.gradients.buffer).toString("base64"));
  }
  return { made, same: bytes.map((one) => one === bytes[0]) };
}

test("many short replies in one micro-batch: gradients are the same bytes with one thread and with eight", async () => {
  // 150 sequences of 600 tokens: from 65,536 products on onnxruntime shares even a single column among its threads.
  const builder = trainingDataBuilder();
  for (let row = 0; row < 120; row += 1) {
    builder.pair(row + 1, ids(9, row >> 2, 41), ids(4, 1000 + (row >> 2), 41), ids(4, 3 * row + 1, 41));
  }
  const { made, same } = await byThreads({ ...SMALL, vocab_size: 41 }, builder.data);

  expect(made.map(({ spans, wanted }) => spans.length * wanted > 65_536)).toEqual([true]);
  expect(same).toEqual([true, true, true, true]);
});

test("a result whose columns are a few more than eight narrow pieces has the same bytes with eight threads", async () => {
  // 33 blocks of 16 columns: some threads get four of them, and four are summed otherwise than five.
  const builder = trainingDataBuilder();
  for (let row = 0; row < 6; row += 1)
    builder.pair(row + 1, ids(9, row, 525), ids(20, row + 9, 525), ids(17, row + 90, 525));
  const { same } = await byThreads({ ...SMALL, vocab_size: 525, hidden_size: 192 }, builder.data);

  expect(same).toEqual([true, true, true, true]);
});

test("a few wanted tokens at the end of a long row: gradients are the same bytes with one thread and with eight", async () => {
  // Attention of 36 tokens over 600, for heads of 64 numbers: onnxruntime would cut what is seen by columns.
  const builder = trainingDataBuilder();
  builder.pair(1, ids(565, 1, 41), ids(20, 90, 41), ids(17, 7, 41));
  const wide = { hidden_size: 128, num_attention_heads: 2, num_key_value_heads: 2, head_dim: 64 };
  const { made, same } = await byThreads({ ...SMALL, ...wide, vocab_size: 41 }, builder.data);

  // All of it stands in the trunk, and of its 600 tokens 36 are wanted.
  expect(made.map(({ inputs: { wanted_trunk_mask } }) => wanted_trunk_mask!.shape)).toEqual([[1, 1, 1, 64, 600]]);
  expect(same).toEqual([true, true, true, true]);
});

test("long replies beside each other: gradients are the same bytes with one thread and with eight", async () => {
  const builder = trainingDataBuilder();
  for (let row = 0; row < 3; row += 1)
    builder.pair(row + 1, ids(70, 1, 41), ids(131 + row, 90, 41), ids(135, row + 7, 41));
  const wide = { hidden_size: 128, num_attention_heads: 2, num_key_value_heads: 2, head_dim: 64 };
  const { made, same } = await byThreads({ ...SMALL, ...wide, vocab_size: 41 }, builder.data);

  expect(made.map(({ inputs: { branch_mask } }) => branch_mask!.shape)).toEqual([[3, 2, 1, 1, 134, 204]]);
  expect(same).toEqual([true, true, true, true]);
});

test("heads that are wider than any branch can be filled up to are computed whole, to the same bytes with any number of threads", async () => {
  const builder = trainingDataBuilder();
  builder.pair(1, ids(20, 1, 41), ids(102, 90, 41), ids(102, 7, 41));
  const wide = { hidden_size: 64, num_attention_heads: 1, num_key_value_heads: 1, head_dim: 192 };
  const { made, same } = await byThreads({ ...SMALL, ...wide, vocab_size: 41 }, builder.data);

  expect(made.map(({ inputs: { branch_mask } }) => branch_mask!.shape[1])).toEqual([0]);
  expect(same).toEqual([true, true, true, true]);
});

test("a large vocabulary, whose logits are made of few tokens at a time: the same bytes with one thread and with eight", async () => {
  const builder = trainingDataBuilder();
  for (let row = 0; row < 3; row += 1) {
    builder.pair(row + 1, ids(20, row, 53_000), ids(56, row + 90, 53_000), ids(54, row + 7, 53_000));
  }
  const { made, same } = await byThreads({ ...SMALL, vocab_size: 53_000, hidden_size: 320 }, builder.data);

  // As many as are wanted and a place that nothing follows for each prompt: more than a state has numbers, with nothing to fill up.
  expect(made.map(({ inputs: { wanted } }) => wanted!.shape)).toEqual([[336]]);
  expect(same).toEqual([true, true, true, true]);
});
