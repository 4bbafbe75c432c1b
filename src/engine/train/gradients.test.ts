import { expect, test } from "vitest";
import { initialWeights } from "../model/initial-weights.ts";
import { SMALL as SMALLEST } from "./__fixtures__/small-model.ts";
import { unitsOf, weighted } from "./batches.ts";
import { openGradients } from "./gradients.ts";
import { makeMicroBatch } from "./micro-batch.ts";
import { layoutOf } from "./parameter-store.ts";
import { planMicroBatches } from "./plan-batch.ts";
import { shapesOf } from "./sequence-scorer.ts";
import { leastRows } from "./steady-sums.ts";
import { trainingDataBuilder } from "./training-data.ts";
import { preferenceOf, TrainingOptions } from "./training-options.ts";

const SMALL = { ...SMALLEST, vocab_size: 41 };

test("many short replies in one micro-batch: gradients are the same bytes with one thread and with eight", async () => {
  // 150 sequences of 600 tokens: from 65,536 products on onnxruntime shares even a single column among its threads.
  const builder = trainingDataBuilder();
  const ids = (count: number, from: number) => Array.from({ length: count }, (_, at) => (from * 7 + at * at) % 41);
  for (let row = 0; row < 120; row += 1) {
    builder.pair(row + 1, ids(9, row >> 2), ids(4, 1000 + (row >> 2)), ids(4, 3 * row + 1));
  }
  const { data } = builder;
  const options = TrainingOptions.parse({ dpo: { sft_loss_weight: 0.3 } });
  const batch = weighted(data, unitsOf(data, options), options);
  const plans = planMicroBatches(data, batch, { max_tokens: 2048, hidden_size: SMALL.hidden_size });
  const settings = { chunks: 1, least: leastRows(SMALL), average: false, preference_weight: 1 };
  const reference = Float64Array.from(data.sequences, () => -9);
  const made = plans.map((plan) => makeMicroBatch(data, plan, { ...settings, reference }));
  expect(made.map(({ sizes }) => sizes.sequences * sizes.wanted > 65_536)).toEqual([true]);

  const weights = initialWeights(SMALL, { deviation: 0.3, seed: 1 });
  const layout = layoutOf(shapesOf(weights));
  const bytes: string[] = [];
  for (const threads of [1, 2, 4, 8]) {
    const arrays = { values: new Float32Array(layout.size), gradients: new Float32Array(layout.size) };
    for (const [name, { data: numbers }] of weights) layout.view(arrays.values, name).data.set(numbers);
    const gradients = await openGradients({
      graph: {
        ...{ config: SMALL, trainable: shapesOf(weights), preference: preferenceOf(options), chunks: 1 },
        ...{ recompute: "nothing", max_length: 64 },
      },
      frozen: new Map(),
      threads,
    });
    const sum = await gradients.over(arrays);
    await sum(made);
    await gradients.release();
    bytes.push(Buffer.from(arrays.gradients.buffer).toString("base64"));
  }
  expect(bytes.map((one) => one === bytes[0])).toEqual([true, true, true, true]);
});
