import { afterAll, describe, expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { type LoraAdapter, loraShapes, mergeAdapter } from "../model/lora.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { LINEAR_MODULES, type LinearModule, type Parameters, sizeOf, type Tensor } from "../model/parameters.ts";
import { plainForward } from "./__fixtures__/plain-forward.ts";
import { randomParameters, smallConfig } from "./__fixtures__/random-model.ts";
import { type Decoder, openDecoder } from "./decoder.ts";
import { type Generator, type GeneratorOptions, openGenerator, rowsAreIndependent } from "./generator.ts";
import { blockValues, quantizeBlocks } from "./quantize-blocks.ts";
import type { Completion, GenerationRequest } from "./request.ts";
import { PROMPT_TOKENS } from "./scheduler.ts";

const opened: (Decoder | Generator)[] = [];
afterAll(() => Promise.all(opened.map((one) => one.close())));

function randomAdapter(
  config: ModelConfig,
  seed: number,
  { rank = 4, target_modules = [...LINEAR_MODULES] as LinearModule[] } = {},
): LoraAdapter {
  const random = seededRandom(seed);
  const tensors = new Map<string, Tensor>();
  for (const [name, shape] of loraShapes(config, { rank, target_modules })) {
    tensors.set(name, { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => 0.5 * (2 * random() - 1)) });
  }
  return { rank, alpha: 6, target_modules, tensors };
}

async function generatorOf(config: ModelConfig, parameters: Parameters, changes: Partial<GeneratorOptions> = {}) {
  const generator = await openGenerator({ config, parameters, threads: 1, max_batch: 8, ...changes });
  opened.push(generator);
  return generator;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), 0);
}

const SMALL = { weights: "f32", rows: 12, length: 32, adapters: true } as const;

const TEXTS = [
  [3, 17, 5, 5, 40, 0],
  [9, 31, 12, 8, 8, 1],
  [2, 2, 7, 30, 11, 6],
  [21, 4, 4, 19, 33, 14],
];

const SHAPES: [string, Partial<ModelConfig>][] = [
  ["grouped queries", {}],
  ["biases of q, k and v", { attention_bias: "qkv", model_type: "qwen2" }],
  ["biases of all four projections, heads of no multiple of 16", { head_dim: 20, attention_bias: "qkvo" }],
  ["one key head for all, untied head", { num_key_value_heads: 1, tie_word_embeddings: false }],
];

describe("adapters beside one base, several in one run: logits are those of the merged weights", () => {
  test.each(SHAPES)("%s", async (_, changes) => {
    const config = smallConfig(changes);
    const parameters = randomParameters(config, 5);
    const decoder = await openDecoder({
      config,
      parameters,
      weights: "f32",
      threads: 1,
      rows: 4,
      length: 32,
      adapters: true,
    });
    const plain = await openDecoder({ config, parameters, weights: "f32", threads: 1, rows: 4, length: 32 });
    opened.push(decoder, plain);
    const given = [
      randomAdapter(config, 1),
      randomAdapter(config, 2, { rank: 40, target_modules: ["k_proj", "o_proj", "down_proj"] }),
      randomAdapter(config, 3, { rank: 1, target_modules: ["q_proj", "v_proj"] }),
    ];
    const set = decoder.adapters!;
    const loaded = given.map((adapter) => set.add(adapter, "adapter"));
    const adapters = [loaded[0], undefined, loaded[1], loaded[2]];
    const models = [given[0], undefined, given[1], given[2]].map((a) => (a ? mergeAdapter(parameters, a) : parameters));

    const read = { first: 0, tokens: Int32Array.from(TEXTS.flat()), past: new Int32Array(4) };
    const after_prompt = Float32Array.from(await decoder.run({ ...read, adapters }));
    const base_prompt = Float32Array.from(await plain.run(read));
    const step = { first: 0, tokens: Int32Array.of(7, 8, 9, 10), past: Int32Array.of(6, 6, 6, 6) };
    const after_step = Float32Array.from(await decoder.run({ ...step, adapters }));
    const base_step = Float32Array.from(await plain.run(step));

    const row = (logits: Float32Array, at: number) =>
      logits.subarray(at * config.vocab_size, (at + 1) * config.vocab_size);
    for (const [at, text] of TEXTS.entries()) {
      const expected = plainForward(config, models[at]!, [...text, step.tokens[at]!]);
      expect(largestDifference(row(after_prompt, at), expected[5]!)).toBeLessThan(5e-5);
      expect(largestDifference(row(after_step, at), expected[6]!)).toBeLessThan(5e-5);
    }
    // The row without an adapter gets the very bits of the base.
    expect(row(after_prompt, 1)).toEqual(row(base_prompt, 1));
    expect(row(after_step, 1)).toEqual(row(base_step, 1));
    expect(largestDifference(row(after_step, 0), row(base_step, 0))).toBeGreaterThan(0.01);
  });

  test.each([
    ["int8", 8],
    ["int4", 4],
  ] as const)("%s: those of the rounded base with the adapter as it is", async (weights, bits) => {
    const config = smallConfig({ hidden_size: 64, intermediate_size: 96, head_dim: 16 });
    const parameters = new Map(randomParameters(config, 8, 0.2));
    const decoder = await openDecoder({ config, parameters, weights, threads: 1, rows: 2, length: 32, adapters: true });
    opened.push(decoder);
    const adapter = randomAdapter(config, 4);
    const adapters = [undefined, decoder.adapters!.add(adapter, "adapter")];
    const tokens = Int32Array.from([...TEXTS[0]!, ...TEXTS[0]!]);
    const logits = await decoder.run({ first: 0, tokens, past: new Int32Array(2), adapters });

    const rounded = new Map(parameters);
    for (const [name, { shape, data }] of parameters) {
      if (!name.endsWith("proj.weight")) continue;
      rounded.set(name, { shape, data: blockValues(quantizeBlocks(data, shape[0]!, shape[1]!, bits)) });
    }
    const expected = plainForward(config, mergeAdapter(rounded, adapter), TEXTS[0]!).at(-1)!;
    const base = plainForward(config, rounded, TEXTS[0]!).at(-1)!;
    const spread = Math.max(...expected) - Math.min(...expected);
    expect(largestDifference(logits.subarray(config.vocab_size), expected) / spread).toBeLessThan(0.02);
    expect(largestDifference(logits.subarray(0, config.vocab_size), base) / spread).toBeLessThan(0.02);
  });
});

const config = smallConfig({ max_position_embeddings: 64 });
const parameters = randomParameters(config, 12);

test("greedy texts and log-probabilities in a mixed batch are those of the merged models and of the base", async () => {
  const given = {
    first: randomAdapter(config, 1),
    second: randomAdapter(config, 2, { rank: 8, target_modules: ["q_proj", "up_proj"] }),
  };
  const request = { prompt: [3, 17, 5], max_tokens: 20, temperature: 0, logprobs: 2 };
  const served = await generatorOf(config, parameters, { adapters: true });
  for (const [name, adapter] of Object.entries(given)) served.addAdapter(name, adapter);
  const models = [
    { name: undefined, weights: parameters },
    { name: "first", weights: mergeAdapter(parameters, given.first) },
    { name: "second", weights: mergeAdapter(parameters, given.second) },
  ];
  const together = await Promise.all(
    models.map(({ name }) => served.generate(name === undefined ? request : { ...request, adapter: name })),
  );
  const texts = new Set<string>();
  for (const [at, { weights, name }] of models.entries()) {
    const [expected] = await (await generatorOf(config, weights)).generate(request);
    const [made] = together[at]!;
    expect(made!.token_ids).toEqual(expected!.token_ids);
    if (name === undefined) expect(made).toEqual(expected);
    const logprobs = (of: typeof made) => of!.logprobs!.map(({ logprob }) => logprob);
    expect(largestDifference(logprobs(made), logprobs(expected))).toBeLessThan(1e-4);
    texts.add(made!.token_ids.join());
  }
  expect(texts.size).toBe(3);
});

test("the text of a request is the same in any company, whatever adapters run or come and go beside it", async () => {
  const random = seededRandom(4);
  const whole = (most: number) => Math.floor(random() * most);
  const wide = smallConfig({
    hidden_size: 640,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 16,
    intermediate_size: 80,
  });
  const weights = randomParameters(wide, 3, 0.1);
  const ranks = [8, 64, 33, 100];
  const given = ranks.map((rank, at) => randomAdapter(wide, at, { rank }));
  const requests: GenerationRequest[] = Array.from({ length: 40 }, (_, at) => ({
    prompt: Array.from({ length: 1 + whole(12) }, () => whole(41)),
    n: 1 + whole(2),
    max_tokens: 1 + whole(10),
    seed: whole(1000),
    logprobs: 1,
    ...(at % 5 === 4 ? {} : { adapter: `rank ${ranks[at % 5]}` }),
  }));
  const alone = new Map<string | undefined, Generator>();
  for (const [at, name] of [...ranks.map((rank) => `rank ${rank}`), undefined].entries()) {
    const generator = await generatorOf(wide, weights, { max_batch: 1, adapters: true });
    if (name !== undefined) generator.addAdapter(name, given[at]!);
    alone.set(name, generator);
  }
  const expected = [];
  for (const request of requests) expected.push(await alone.get(request.adapter)!.generate(request));
  const many = await generatorOf(wide, weights, { max_batch: 7, adapters: true, threads: 2, batch_invariant: true });
  for (const [at, rank] of ranks.entries()) many.addAdapter(`rank ${rank}`, given[at]!);
  const running = requests.map((request) => many.generate(request));
  many.addAdapter("another", randomAdapter(wide, 9, { rank: 128 }));
  const made = await Promise.all(running);
  expect(made).toEqual(expected);
});

// Elsewhere rows may have to run one by one, which `batch_invariant` finds out.
test.runIf(process.arch === "x64")(
  "rows with adapters can be computed together, on one thread and on two",
  async () => {
    const wide = smallConfig({ hidden_size: 1088, num_hidden_layers: 1 });
    const weights = randomParameters(wide, 3, 0.1);
    const given = [16, 128].map((rank, at) => randomAdapter(wide, at, { rank }));
    for (const threads of [1, 2]) {
      const decoder = await openDecoder({ ...SMALL, config: wide, parameters: weights, threads });
      opened.push(decoder);
      for (const adapter of given.map((one) => decoder.adapters!.add(one, "adapter"))) {
        expect(await rowsAreIndependent(decoder, 12, adapter)).toBe(true);
      }
    }
  },
);

test("a prompt that is read in pieces is read with its adapter", async () => {
  const long = smallConfig({ max_position_embeddings: 700 });
  const adapter = randomAdapter(long, 6);
  const prompt = Array.from({ length: 2 * PROMPT_TOKENS + 9 }, (_, at) => (at * 7) % 41);
  const request = { prompt, max_tokens: 5, temperature: 0, logprobs: 0, n: 2 };
  const served = await generatorOf(long, parameters, { adapters: true });
  served.addAdapter("mine", adapter);
  const merged = await generatorOf(long, mergeAdapter(parameters, adapter));
  const [made, expected] = [await served.generate({ ...request, adapter: "mine" }), await merged.generate(request)];
  const logprobs = (of: Completion[]) => of.flatMap((one) => one.logprobs!.map(({ logprob }) => logprob));
  expect(made.map(({ token_ids }) => token_ids)).toEqual(expected.map(({ token_ids }) => token_ids));
  expect(largestDifference(logprobs(made), logprobs(expected))).toBeLessThan(1e-4);
  expect(largestDifference(logprobs(made), logprobs(await served.generate(request)))).toBeGreaterThan(0.01);
});

test("an adapter that is removed ends with its last request, and is unknown to new ones at once", async () => {
  const generator = await generatorOf(config, parameters, { adapters: true });
  const adapter = randomAdapter(config, 7);
  const request = { prompt: [1, 2], max_tokens: 30, seed: 3, adapter: "mine" };
  generator.addAdapter("mine", adapter);
  const expected = await generator.generate(request);

  const running = generator.generate(request);
  let gone = false;
  const removed = generator.removeAdapter("mine").then(() => {
    gone = true;
  });
  await expect(generator.generate(request)).rejects.toMatchObject({ code: "adapter_not_found", where: "adapter" });
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(gone).toBe(false);
  // The name is free for another one, while the first is still in use.
  generator.addAdapter("mine", randomAdapter(config, 8));
  const [other, old] = await Promise.all([generator.generate(request), running]);
  expect(old).toEqual(expected);
  expect(other).not.toEqual(expected);
  await removed;
  await generator.removeAdapter("mine");
  await expect(generator.removeAdapter("mine")).rejects.toMatchObject({ code: "adapter_not_found" });
});

test("closing ends requests with an adapter, and who waits for its removal", async () => {
  const generator = await generatorOf(config, parameters, { adapters: true });
  generator.addAdapter("mine", randomAdapter(config, 7));
  const running = generator.generate({ prompt: [1], adapter: "mine" });
  const removed = generator.removeAdapter("mine");
  await Promise.all([generator.close(), expect(running).rejects.toMatchObject({ code: "generator_closed" }), removed]);
});

test("what does not fit is refused by its tensor's name, and leaves nothing", async () => {
  const generator = await generatorOf(config, parameters, { adapters: true });
  const other = randomAdapter({ ...config, hidden_size: 16 }, 1);
  expect(() => generator.addAdapter("a", other, "folder")).toThrow(
    expect.objectContaining({
      code: "bad_adapter",
      where: "folder",
      what: "tensor model.layers.0.self_attn.q_proj.lora_A.weight has shape [4, 16]; for this model it is [4, 24]",
    }),
  );
  const broken = randomAdapter(config, 1);
  broken.tensors.get("model.layers.1.mlp.up_proj.lora_B.weight")!.data[5] = Number.NaN;
  expect(() => generator.addAdapter("a", broken)).toThrow(
    expect.objectContaining({
      what: "tensor model.layers.1.mlp.up_proj.lora_B.weight holds numbers that are not finite",
    }),
  );
  generator.addAdapter("a", randomAdapter(config, 1));
  expect(() => generator.addAdapter("a", randomAdapter(config, 2))).toThrow(
    expect.objectContaining({ code: "bad_request", what: 'there is an adapter "a" already' }),
  );
  const without = await generatorOf(config, parameters);
  expect(() => without.addAdapter("a", randomAdapter(config, 2))).toThrow(
    expect.objectContaining({ code: "bad_request", what: "the model was opened without room for adapters" }),
  );
  await expect(without.generate({ prompt: [1], adapter: "a" })).rejects.toMatchObject({ code: "bad_request" });
});
