import { expect, test } from "vitest";
import type { Recompute } from "../model/forward.ts";
import { initialAdapter, initialWeights } from "../model/initial-weights.ts";
import type { ModelConfig } from "../model/model-config.ts";
import type { Parameters, Tensor } from "../model/parameters.ts";
import { openSession, tensorMaker } from "../runtime/session.ts";
import { longReplies, SMALL, smallData } from "./__fixtures__/small-model.ts";
import { batchLoss } from "./batch-loss.ts";
import { unitsOf, weighted } from "./batches.ts";
import { makeMicroBatch } from "./micro-batch.ts";
import { planMicroBatches } from "./plan-batch.ts";
import { batchFeeds, sequenceSums, shapesOf } from "./sequence-scorer.ts";
import { ANY_ROWS } from "./steady-sums.ts";
import { gradientGraph } from "./training-graph.ts";
import { averages, preferenceOf, TrainingOptions } from "./training-options.ts";
import { headsOf } from "./tree-layout.ts";

/** More tokens than the first block makes states of for all. */
const UNTIED: ModelConfig = {
  ...SMALL,
  vocab_size: 300,
  tie_word_embeddings: false,
  attention_bias: "qkvo",
  num_key_value_heads: 4,
};
const LORA = { finetuning_type: "lora", lora: { rank: 3, alpha: 6 } } as const;
const SFT = { training_type: "sft" } as const;

/** Numbers in float64 of one micro-batch of the small data set: loss, gradients and a way to run it again. */
async function prepare(
  given: unknown,
  { config = SMALL, chunks = 1, recompute = "nothing" as Recompute, data = smallData(), tokens = 1 } = {},
) {
  const options = TrainingOptions.parse(given);
  const reference = Float64Array.from(
    data.sequences,
    ({ completion }, index) => -2.5 * completion.length - 0.1 * index,
  );
  const batch = weighted(data, unitsOf(data, options), options);
  const [plan, ...more] = planMicroBatches(data, batch, { max_tokens: 1000, hidden_size: 16 });
  expect(more).toEqual([]);
  const made = makeMicroBatch(data, plan!, {
    chunks,
    heads: headsOf(config),
    least: { ...ANY_ROWS, tokens },
    average: averages(options),
    preference_weight: options.dpo.preference_loss_weight,
    reference,
  });

  const base = initialWeights(config, { deviation: 0.3, seed: 3 });
  const adapter = new Map(initialAdapter(config, options.lora, 4));
  // B is zero at first, and A has no gradient then: checked where both have one.
  for (const [name, { shape }] of adapter) {
    if (name.includes("lora_B")) adapter.set(name, initialTensor(shape));
  }
  const lora = options.finetuning_type === "lora";
  const trained: Parameters = lora ? adapter : base;
  const graph = gradientGraph({
    config,
    trainable: shapesOf(trained),
    ...(lora && { adapter_scale: options.lora.alpha / options.lora.rank }),
    preference: preferenceOf(options),
    chunks,
    recompute,
    max_length: 64,
    float: "float64",
  });
  const session = await openSession(graph, { threads: 1 });
  const tensor = await tensorMaker();
  const wide = new Map([...base, ...(lora ? adapter : [])].map(([name, one]) => [name, Float64Array.from(one.data)]));
  const shapes = new Map([...base, ...adapter].map(([name, { shape }]) => [name, shape]));
  const feeds = Object.fromEntries([
    ...Object.entries(await batchFeeds(made)).map(([name, one]) => [
      name,
      one.data instanceof Float32Array ? tensor(Float64Array.from(one.data), one.dims) : one,
    ]),
    ...[...wide].map(([name, numbers]) => [name, tensor(numbers, shapes.get(name)!)]),
    ...[...trained].map(([name, { data: zeros, shape }]) => [
      `sum ${name}`,
      tensor(new Float64Array(zeros.length), shape),
    ]),
  ]);
  const run = async () => await session.run(feeds);
  const loss = async () => Number((await run()).loss!.data[0]);
  return { options, data, reference, batch, made, trained, wide, run, loss, release: () => session.release() };
}

function initialTensor(shape: readonly number[]): Tensor {
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 0.2 * Math.sin(1 + i));
  return { shape, data };
}

test.each([
  ["all weights, DPO", {}, {}],
  ["all weights, SFT", SFT, {}],
  ["LoRA, DPO", LORA, {}],
  ["LoRA, SFT", { ...LORA, ...SFT }, {}],
  [
    "all weights, DPO with a likelihood term, in chunks, recomputed",
    { dpo: { sft_loss_weight: 0.3 } },
    { chunks: 3, recompute: "all" as const },
  ],
  ["LoRA, DPO, in chunks, all but products recomputed", LORA, { chunks: 2, recompute: "all_but_products" as const }],
  ["LoRA on two modules only", { ...LORA, lora: { rank: 2, alpha: 2, target_modules: ["q_proj", "down_proj"] } }, {}],
  ["an untied head and biases, ipo", { dpo: { loss_type: "ipo" } }, { config: UNTIED }],
  ["an untied head and biases, LoRA", LORA, { config: UNTIED }],
  ["one block, the first and the last", {}, { config: { ...SMALL, num_hidden_layers: 1 } }],
  ["hinge", { dpo: { loss_type: "hinge" } }, {}],
  ["robust", { dpo: { loss_type: "robust", label_smoothing: 0.1 } }, {}],
  ["replies that attention takes apart, DPO", { dpo: { sft_loss_weight: 0.3 } }, { data: longReplies() }],
  ["the same, LoRA, recomputed", LORA, { data: longReplies(), recompute: "all_but_products" as const }],
  ["averages, whole prompts", { dpo: { preference_average_log_probs: true }, batch_unit: "prompt" }, {}],
])("gradients of a whole model are those of finite differences: %s", async (_name, given, setting) => {
  const { trained, wide, run, loss, release, made } = await prepare(given, setting);
  // Only long replies are branches of their own.
  expect(made.inputs.branch_mask!.shape[1]).toBe("data" in setting ? 6 : 0);
  const outputs = await run();
  const gradients = new Map(
    [...trained.keys()].map((name) => [name, Float64Array.from(outputs[`gradient ${name}`]!.data as Float64Array)]),
  );
  const largestOf = (numbers: Float64Array) => Math.max(...numbers.map(Math.abs));
  const largest = Math.max(...[...gradients.values()].map(largestOf));
  let checked = 0;
  let worst = 0;
  const step = 1e-5;
  for (const [name, numbers] of gradients) {
    const weights = wide.get(name)!;
    // Relative to the tensor's own largest gradient; below a thousandth of the model's, differences are rounding.
    const size = Math.max(largestOf(numbers), largest / 1000);
    for (let at = checked % 5; at < numbers.length; at += Math.ceil(numbers.length / 7)) {
      const value = weights[at]!;
      weights[at] = value + step;
      const above = await loss();
      weights[at] = value - step;
      const below = await loss();
      weights[at] = value;
      worst = Math.max(worst, Math.abs((above - below) / (2 * step) - numbers[at]!) / size);
      checked += 1;
    }
  }
  await release();
  expect(checked).toBeGreaterThan(50);
  expect(largest).toBeGreaterThan(1e-3);
  expect(worst).toBeLessThan(1e-6);
});

test.each([
  ["sigmoid", {}],
  ["ipo", { dpo: { loss_type: "ipo" } }],
  ["hinge, with a likelihood term", { dpo: { loss_type: "hinge", sft_loss_weight: 0.7, sft_average_log_probs: true } }],
  [
    "robust, averages",
    {
      dpo: {
        preference_loss_weight: 0.5,
        loss_type: "robust",
        label_smoothing: 0.2,
        preference_average_log_probs: true,
      },
    },
  ],
  ["SFT", SFT],
])("the graph's loss is the one that is reported: %s", async (_name, given) => {
  const { options, data, reference, batch, made, run, release } = await prepare(given);
  const outputs = await run();
  const sums = sequenceSums(made, outputs.token_log_probabilities!.data as Float32Array);
  const reported = batchLoss({ data, reference, options }, batch, sums);
  await release();
  expect(Math.abs(Number(outputs.loss!.data[0]) / reported.loss - 1)).toBeLessThan(1e-6);
});

test.each([
  ["in trunks", smallData()],
  ["in branches", longReplies()],
])("what fills rows up %s changes neither loss nor gradients", async (_name, data) => {
  const [plain, filled] = [await prepare({}, { data }), await prepare({}, { data, tokens: 300 })];
  const [expected, outputs] = [await plain.run(), await filled.run()];
  await Promise.all([plain.release(), filled.release()]);
  expect(filled.made.inputs.tokens!.data.length).toBeGreaterThanOrEqual(300);
  const names = ["loss", ...[...plain.trained.keys()].map((name) => `gradient ${name}`)];
  const differences = names.flatMap((name) => {
    const numbers = outputs[name]!.data as Float64Array;
    return Array.from(expected[name]!.data as Float64Array, (value, at) => Math.abs(value - numbers[at]!));
  });
  expect(differences.length).toBeGreaterThan(1000);
  expect(Math.max(...differences)).toBeLessThan(1e-12);
});
