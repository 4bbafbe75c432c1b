import { describe, expect, test } from "vitest";
import { readConfig } from "./read-config.ts";

const LLAMA = { architectures: ["LlamaForCausalLM"], model_type: "llama" };
const QWEN2 = { architectures: ["Qwen2ForCausalLM"], model_type: "qwen2" };
const MISTRAL = { architectures: ["MistralForCausalLM"], model_type: "mistral" };
const read = (raw: unknown) => readConfig(raw, "m/config.json");

test("an almost empty Llama config means what transformers' LlamaConfig() means", () => {
  expect(read(LLAMA)).toEqual({
    model_type: "llama",
    vocab_size: 32_000,
    hidden_size: 4096,
    intermediate_size: 11_008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    head_dim: 128,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    rope_scaling: null,
    attention_bias: "none",
    tie_word_embeddings: false,
  });
});

test("Qwen2 and Mistral have defaults of their own", () => {
  expect(read(QWEN2)).toMatchObject({
    vocab_size: 151_936,
    intermediate_size: 22_016,
    num_key_value_heads: 32,
    max_position_embeddings: 32_768,
    attention_bias: "qkv",
  });
  expect(read({ ...MISTRAL, sliding_window: null })).toMatchObject({
    intermediate_size: 14_336,
    num_key_value_heads: 8,
    max_position_embeddings: 131_072,
    attention_bias: "none",
  });
});

test("null is as good as absent: SmolLM2's config as transformers writes it", () => {
  const config = read({
    ...LLAMA,
    head_dim: null,
    hidden_size: 576,
    num_attention_heads: 9,
    num_key_value_heads: null,
    rope_scaling: null,
    rope_theta: 100_000,
    tie_word_embeddings: true,
    quantization_config: null,
  });

  expect(config).toMatchObject({
    head_dim: 64,
    num_key_value_heads: 9,
    rope_theta: 100_000,
    tie_word_embeddings: true,
  });
});

test("head_dim need not be hidden_size / num_attention_heads", () => {
  expect(read({ ...LLAMA, hidden_size: 100, num_attention_heads: 8, head_dim: 32 }).head_dim).toBe(32);
});

test("attention_bias of a Llama is on all four projections", () => {
  expect(read({ ...LLAMA, attention_bias: true }).attention_bias).toBe("qkvo");
});

test("model_type alone is enough", () => {
  expect(read({ model_type: "qwen2" }).model_type).toBe("qwen2");
});

describe("rotary positions", () => {
  const llama3 = { factor: 32, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

  test.each([
    ["transformers 4", { rope_theta: 5e5, rope_scaling: { rope_type: "llama3", ...llama3 } }],
    ["its older spelling", { rope_theta: 5e5, rope_scaling: { type: "llama3", ...llama3 } }],
    ["transformers 5", { rope_parameters: { rope_theta: 5e5, rope_type: "llama3", ...llama3 } }],
    ["rope_theta left outside", { rope_theta: 5e5, rope_parameters: { rope_type: "llama3", ...llama3 } }],
  ])("llama3 as in %s", (_name, rope) => {
    expect(read({ ...LLAMA, ...rope })).toMatchObject({
      rope_theta: 500_000,
      rope_scaling: { rope_type: "llama3", ...llama3 },
    });
  });

  test("llama3 without its original length was made for max_position_embeddings", () => {
    const { original_max_position_embeddings: _, ...rest } = llama3;
    expect(read({ ...LLAMA, rope_scaling: { rope_type: "llama3", ...rest } }).rope_scaling).toMatchObject({
      original_max_position_embeddings: 2048,
    });
  });

  test("linear, and default", () => {
    expect(read({ ...LLAMA, rope_scaling: { type: "linear", factor: 2 } }).rope_scaling).toEqual({
      rope_type: "linear",
      factor: 2,
    });
    expect(read({ ...LLAMA, rope_parameters: { rope_type: "default", rope_theta: 7 } })).toMatchObject({
      rope_theta: 7,
      rope_scaling: null,
    });
  });

  test("rope_scaling counts where a config has both", () => {
    const both = { rope_scaling: { type: "linear", factor: 2 }, rope_parameters: { rope_type: "linear", factor: 9 } };
    expect(read({ ...LLAMA, ...both }).rope_scaling).toEqual({ rope_type: "linear", factor: 2 });
  });
});

describe("a sliding window that no text outgrows is none", () => {
  test.each([
    ["null", { ...MISTRAL, sliding_window: null }],
    ["as long as the model", { ...MISTRAL, sliding_window: 4096, max_position_embeddings: 4096 }],
    ["switched off", { ...QWEN2, sliding_window: 128, use_sliding_window: false }],
    ["above the last layer", { ...QWEN2, use_sliding_window: true, max_window_layers: 32, num_hidden_layers: 32 }],
    ["told layer by layer", { ...QWEN2, use_sliding_window: true, layer_types: ["full_attention"] }],
  ])("%s", (_name, raw) => {
    expect(read(raw).max_position_embeddings).toBeGreaterThan(0);
  });
});

describe("what the engine does not do is one error that names the key", () => {
  test.each<[string, object, string]>([
    ["architectures", { architectures: ["GPT2LMHeadModel"], model_type: "gpt2" }, '["GPT2LMHeadModel"]'],
    ["architectures", { architectures: ["LlamaForSequenceClassification"], model_type: "llama" }, "LlamaForCausalLM"],
    ["model_type", { model_type: "gemma" }, '"gemma"'],
    ["hidden_act", { ...LLAMA, hidden_act: "gelu" }, '"gelu"'],
    ["mlp_bias", { ...LLAMA, mlp_bias: true }, "true"],
    ["quantization_config", { ...LLAMA, quantization_config: { quant_method: "gptq", bits: 4 } }, "gptq"],
    ["rope_scaling.rope_type", { ...LLAMA, rope_scaling: { rope_type: "yarn", factor: 2 } }, '"yarn"'],
    ["rope_scaling.type", { ...LLAMA, rope_scaling: { type: "dynamic", factor: 2 } }, '"dynamic"'],
    ["rope_parameters.rope_type", { ...LLAMA, rope_parameters: { rope_type: "longrope" } }, '"longrope"'],
    ["partial_rotary_factor", { ...LLAMA, partial_rotary_factor: 0.5 }, "0.5"],
    ["sliding_window", { ...MISTRAL, sliding_window: 4096 }, "4096"],
    ["sliding_window", MISTRAL, "its default when it is left out"],
    ["sliding_window", { ...QWEN2, use_sliding_window: true, max_window_layers: 0 }, "4096"],
    ["layer_types", { ...QWEN2, layer_types: ["full_attention", "sliding_attention"] }, "full"],
  ])("%s of %j", (key, raw, value) => {
    expect(() => read(raw)).toThrow(
      expect.objectContaining({
        code: "unsupported_model",
        where: "m/config.json",
        what: expect.stringMatching(new RegExp(`^${key.replace(".", "\\.")} is `)),
      }),
    );
    expect(() => read(raw)).toThrow(value);
  });
});

describe("what makes no sense is one error that names the key", () => {
  test.each<[unknown, string]>([
    [[], "no JSON object"],
    [{}, "architectures and model_type are missing"],
    [{ ...LLAMA, model_type: "qwen2" }, 'model_type is "qwen2"'],
    [{ ...LLAMA, vocab_size: -1 }, "vocab_size is -1"],
    [{ ...LLAMA, hidden_size: "64" }, 'hidden_size is "64"'],
    [{ ...LLAMA, num_hidden_layers: 1e9 }, "num_hidden_layers is 1000000000; no model has more"],
    [{ ...LLAMA, num_hidden_layers: 1.5 }, "num_hidden_layers is 1.5"],
    [{ ...LLAMA, rms_norm_eps: 0 }, "rms_norm_eps is 0"],
    [{ ...LLAMA, num_key_value_heads: 5 }, "num_key_value_heads (5) does not divide"],
    [{ ...LLAMA, hidden_size: 100, num_attention_heads: 3 }, "num_attention_heads (3) does not divide"],
    [{ ...LLAMA, head_dim: 3 }, "head_dim is 3"],
    [{ ...LLAMA, tie_word_embeddings: "yes" }, 'tie_word_embeddings is "yes"'],
    [{ ...LLAMA, rope_scaling: [] }, "rope_scaling is []"],
    [{ ...LLAMA, rope_scaling: { rope_type: "linear" } }, "rope_scaling.factor is missing"],
    [{ ...LLAMA, architectures: "LlamaForCausalLM" }, "architectures is"],
  ])("%j", (raw, message) => {
    expect(() => read(raw)).toThrow(expect.objectContaining({ code: "bad_model_config", where: "m/config.json" }));
    expect(() => read(raw)).toThrow(message);
  });
});
