import { expect, test } from "vitest";
import type { Recompute } from "../model/forward.ts";
import { initialAdapter, initialWeights } from "../model/initial-weights.ts";
import { SMALL, smallData } from "./__fixtures__/small-model.ts";
import { batchAt, epochOrder, unitsOf } from "./batches.ts";
import { openLearner } from "./learner.ts";
import { type TrainingData, trainingDataBuilder } from "./training-data.ts";
import { TrainingOptions } from "./training-options.ts";

/** Trains for some steps, and gives each step's report and the weights in the end. */
async function train(
  given: object,
  { config = SMALL, data = smallData(), steps = 4, threads = 1, chunks = 1, recompute = "nothing" as Recompute } = {},
) {
  const options = TrainingOptions.parse({ batch_size: 5, learning_rate: 0.01, ...given });
  const weights = initialWeights(config, { deviation: 0.3, seed: 1 });
  const adapter = { weights: initialAdapter(config, options.lora, 2), scale: 2 };
  const learner = await openLearner({
    config,
    weights,
    ...(options.finetuning_type === "lora" && { adapter }),
    data,
    reference: Float64Array.from(data.sequences, ({ completion }) => -2.5 * completion.length),
    options,
    max_length: 64,
    chunks,
    recompute,
    threads,
  });
  const units = unitsOf(data, options);
  const order = epochOrder(units.length, 0, options);
  const reports = [];
  for (let step = 0; step < steps; step += 1) {
    const batch = batchAt(data, units, order, step % Math.ceil(units.length / options.batch_size), options);
    reports.push(await learner.learn(batch, step + 1, 0.01));
  }
  await learner.release();
  return { reports, values: learner.store.values };
}

/** The same rows, but no prompt and no reply shared: every row is a tree of its own for each of its replies. */
function apart(data: TrainingData): TrainingData {
  const sequences = data.sequences.map(({ prompt, completion }) => ({ prompt: data.prompts[prompt]!, completion }));
  const made: TrainingData = { prompts: [], sequences: [], pairs: [], targets: [] };
  const add = (index: number) => {
    const { prompt, completion } = sequences[index]!;
    made.prompts.push(prompt);
    made.sequences.push({ prompt: made.prompts.length - 1, completion });
    return made.sequences.length - 1;
  };
  for (const { chosen, rejected, row } of data.pairs) {
    made.pairs.push({ row, chosen: add(chosen), rejected: add(rejected) });
  }
  return made;
}

test.each([{}, { finetuning_type: "lora" }, { dpo: { sft_loss_weight: 0.3 } }])(
  "prompts computed once give the losses of plain pairs: %j",
  async (given) => {
    const packed = await train(given);
    const plain = await train(given, { data: apart(smallData()) });
    for (const [step, { loss, grad_norm }] of plain.reports.entries()) {
      expect(Math.abs(packed.reports[step]!.loss - loss)).toBeLessThan(1e-6);
      expect(Math.abs(packed.reports[step]!.grad_norm / grad_norm - 1)).toBeLessThan(1e-5);
    }
  },
);

test.each([
  ["cut into micro-batches", { max_tokens_per_micro_batch: 16 }, {}],
  ["logits in chunks", {}, { chunks: 3 }],
  ["activations made again", {}, { recompute: "all" as const }],
  ["activations but products made again", {}, { recompute: "all_but_products" as const }],
])("the same is learned with %s", async (_name, given, setting) => {
  const whole = await train({});
  const other = await train(given, setting);
  expect(other.reports).toHaveLength(4);
  for (const [step, { loss }] of whole.reports.entries()) {
    expect(Math.abs(other.reports[step]!.loss - loss)).toBeLessThan(1e-5);
  }
});

test.each([{}, { finetuning_type: "lora" }, { training_type: "sft" }])(
  "weights are the same bytes with one thread and with two: %j",
  async (given) => {
    const one = await train(given, { steps: 10, threads: 1 });
    const two = await train(given, { steps: 10, threads: 2 });
    const again = await train(given, { steps: 10, threads: 2 });
    expect(Buffer.from(two.values.buffer).equals(Buffer.from(one.values.buffer))).toBe(true);
    expect(Buffer.from(again.values.buffer).equals(Buffer.from(one.values.buffer))).toBe(true);
  },
);

test.each([{ finetuning_type: "all_weights" }, { finetuning_type: "lora" }])(
  "a small model's lanes give the same bytes with any number of threads: %j",
  async (given) => {
    // Sizes at which onnxruntime gives other bits for two threads, and others again for four and eight, if an operation had them.
    const config = { ...SMALL, vocab_size: 600, hidden_size: 96, intermediate_size: 256, head_dim: 24 };
    const builder = trainingDataBuilder();
    const ids = (count: number, from: number) => Array.from({ length: count }, (_, at) => (from * 37 + at * at) % 600);
    for (let row = 1; row <= 12; row += 1) {
      builder.pair(row, ids(17, row), ids(13, 2 * row), ids(9, 3 * row));
      builder.pair(row, ids(17, row), ids(13, 2 * row), ids(7, 5 * row));
    }
    const bytes: Buffer[] = [];
    for (const threads of [1, 2, 4, 8]) {
      const { values } = await train(given, { config, data: builder.data, threads, chunks: 3, steps: 3 });
      bytes.push(Buffer.from(values.buffer));
    }
    expect(bytes.map((one) => one.equals(bytes[0]!))).toEqual([true, true, true, true]);
  },
);

test("the loss falls, and clipping says the norm before it", async () => {
  const { reports } = await train({ batch_size: 100, max_grad_norm: 0.001 }, { steps: 30 });
  expect(reports[29]!.loss).toBeLessThan(reports[0]!.loss - 0.05);
  expect(reports[0]!.grad_norm).toBeGreaterThan(0.1);
  expect(reports[29]!["rewards/margins"]).toBeGreaterThan(reports[0]!["rewards/margins"]!);
});

test("a loss that is not finite stops with the step and the rows, and the weights stay", async () => {
  const data = smallData();
  const options = TrainingOptions.parse({ batch_size: 2, shuffle: false });
  const weights = initialWeights(SMALL, { deviation: 0.3, seed: 1 });
  const learner = await openLearner({
    config: SMALL,
    weights,
    data,
    reference: new Float64Array(data.sequences.length),
    options,
    max_length: 64,
    chunks: 1,
    recompute: "nothing",
    threads: 1,
  });
  const embeddings = learner.store.view("values", "model.embed_tokens.weight").data;
  const { prompt } = data.sequences[data.pairs[3]!.chosen]!;
  embeddings[16 * data.prompts[prompt]![0]!] = Number.NaN;
  const before = learner.store.values.slice();
  const units = unitsOf(data, options);
  const batch = batchAt(data, units, epochOrder(units.length, 0, options), 1, options);
  await expect(learner.learn(batch, 7, 0.01)).rejects.toMatchObject({
    code: "loss_not_finite",
    where: "step 7",
    exit_code: 5,
    what: expect.stringContaining("rows 3, 4;"),
  });
  const { values } = learner.store;
  expect(Buffer.from(values.buffer, values.byteOffset, values.byteLength).equals(Buffer.from(before.buffer))).toBe(
    true,
  );
  await learner.release();
});
