import { afterAll, describe, expect, test } from "vitest";
import type { ModelConfig } from "../model/model-config.ts";
import type { Parameters } from "../model/parameters.ts";
import { plainForward } from "./__fixtures__/plain-forward.ts";
import { randomParameters, smallConfig } from "./__fixtures__/random-model.ts";
import { type Decoder, openDecoder } from "./decoder.ts";
import { blockValues, quantizeBlocks } from "./quantize-blocks.ts";
import type { WeightFormat } from "./serving-weights.ts";

const opened: Decoder[] = [];
afterAll(() => Promise.all(opened.map((decoder) => decoder.close())));

async function decoderOf(config: ModelConfig, parameters: Parameters, weights: WeightFormat = "f32", rows = 4) {
  const decoder = await openDecoder({ config, parameters, weights, threads: 1, rows, length: 32 });
  opened.push(decoder);
  return decoder;
}

const llama3 = {
  rope_type: "llama3",
  factor: 4,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 16,
} as const;

const SHAPES: [string, Partial<ModelConfig>][] = [
  ["grouped queries, tied head", {}],
  ["untied head", { tie_word_embeddings: false }],
  ["biases of q, k and v", { attention_bias: "qkv", model_type: "qwen2" }],
  ["biases of all four projections", { attention_bias: "qkvo" }],
  ["one key head for all", { num_key_value_heads: 1 }],
  ["a key head for each", { num_key_value_heads: 4 }],
  ["heads wider together than the model", { head_dim: 16 }],
  ["heads of no multiple of 16", { head_dim: 20, attention_bias: "qkvo" }],
  ["positions stretched evenly", { rope_scaling: { rope_type: "linear", factor: 3 } }],
  ["positions stretched as in Llama 3", { rope_scaling: llama3, head_dim: 16 }],
];

const TEXT = [3, 17, 5, 5, 40, 0, 22, 9, 31, 12, 8, 8, 1];

function largestDifference(a: ArrayLike<number>, b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return b.reduce((most, value, at) => Math.max(most, Math.abs(value - a[at]!)), 0);
}

describe("logits are those of the plain float64 pass", () => {
  test.each(SHAPES)("%s: a prompt, then token by token", async (_, changes) => {
    const config = smallConfig(changes);
    const parameters = randomParameters(config, 5);
    const decoder = await decoderOf(config, parameters);
    const expected = plainForward(config, parameters, TEXT);

    const prompt = Int32Array.from(TEXT.slice(0, 6));
    const made = [Float32Array.from(await decoder.run({ first: 0, tokens: prompt, past: Int32Array.of(0) }))];
    for (let at = 6; at < TEXT.length; at += 1) {
      const step = { first: 0, tokens: Int32Array.of(TEXT[at]!), past: Int32Array.of(at) };
      made.push(Float32Array.from(await decoder.run(step)));
    }
    expect(made).toHaveLength(8);
    for (const [at, logits] of made.entries()) {
      expect(largestDifference(logits, expected[at + 5]!)).toBeLessThan(2e-5);
    }
  });

  test("a prompt in pieces, in a row that is not the first", async () => {
    const config = smallConfig();
    const parameters = randomParameters(config, 6);
    const decoder = await decoderOf(config, parameters);
    const expected = plainForward(config, parameters, TEXT);
    for (const [start, end] of [
      [0, 5],
      [5, 9],
      [9, 13],
    ] as const) {
      const logits = await decoder.run({
        first: 2,
        tokens: Int32Array.from(TEXT.slice(start, end)),
        past: Int32Array.of(start),
      });
      expect(largestDifference(logits, expected[end - 1]!)).toBeLessThan(2e-5);
    }
  });

  test("rows of different lengths in one step, copied, taken and put back", async () => {
    const config = smallConfig();
    const parameters = randomParameters(config, 7);
    const decoder = await decoderOf(config, parameters);
    await decoder.run({
      first: 0,
      tokens: Int32Array.from([...TEXT.slice(0, 4), ...TEXT.slice(4, 8)]),
      past: new Int32Array(2),
    });
    decoder.copy(1, 3, 4);
    decoder.put(2, decoder.take(0, 3));
    // Rows 0 and 1 as they were read, row 2 with the first three tokens of row 0, row 3 a copy of row 1.
    const logits = await decoder.run({ first: 0, tokens: Int32Array.of(7, 8, 9, 10), past: Int32Array.of(4, 4, 3, 4) });

    const texts = [
      [...TEXT.slice(0, 4), 7],
      [...TEXT.slice(4, 8), 8],
      [...TEXT.slice(0, 3), 9],
      [...TEXT.slice(4, 8), 10],
    ];
    texts.forEach((text, row) => {
      const made = logits.subarray(row * config.vocab_size, (row + 1) * config.vocab_size);
      expect(largestDifference(made, plainForward(config, parameters, text).at(-1)!)).toBeLessThan(2e-5);
    });
  });
});

test.each([
  ["int8", 8],
  ["int4", 4],
] as const)(
  "%s weights: the logits of the rounded weights, but for the rounding of activations",
  async (format, bits) => {
    const config = smallConfig({ attention_bias: "qkv", hidden_size: 64, intermediate_size: 96, head_dim: 16 });
    const parameters = new Map(randomParameters(config, 8, 0.2));
    const decoder = await decoderOf(config, parameters, format);
    const logits = await decoder.run({ first: 0, tokens: Int32Array.from(TEXT), past: Int32Array.of(0) });
    const exact = plainForward(config, parameters, TEXT).at(-1)!;

    const rounded = new Map(parameters);
    for (const [name, { shape, data }] of parameters) {
      if (!name.endsWith("proj.weight")) continue;
      rounded.set(name, { shape, data: blockValues(quantizeBlocks(data, shape[0]!, shape[1]!, bits)) });
    }
    const expected = plainForward(config, rounded, TEXT).at(-1)!;
    const spread = Math.max(...exact) - Math.min(...exact);
    expect(largestDifference(logits, expected) / spread).toBeLessThan(0.02);
    expect(largestDifference(logits, exact) / spread).toBeLessThan(bits === 8 ? 0.02 : 0.2);
  },
);
