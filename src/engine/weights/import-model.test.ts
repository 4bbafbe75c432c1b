import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { f32Bytes, type TestGguf, type TestValue, writeGguf } from "../../../tests/support/gguf-file.ts";
import { randomParameters } from "../../../tests/support/random-parameters.ts";
import { ggufOf, TEMPLATE, TOKENS } from "../../../tests/support/tiny-gguf.ts";
import { openChatTemplate } from "../../tokens/open-chat-template.ts";
import { openTokenizer } from "../../tokens/open-tokenizer.ts";
import { llamaConfig } from "../__fixtures__/llama-config.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { llama3Divisors } from "./gguf/llama3-factors.ts";
import { importModel } from "./import-model.ts";
import { readModelFolder } from "./model-folder.ts";
import { writeModelFolder } from "./write-model-folder.ts";

const root = await mkdtemp(join(tmpdir(), "pairwright-import-"));
let paths = 0;
function newPath(ending = ""): string {
  paths += 1;
  return join(root, `${paths}${ending}`);
}

const config = llamaConfig({ vocab_size: TOKENS.length });
const parameters = randomParameters(config);

async function ggufFile(change: (file: TestGguf) => void = () => undefined, of: ModelConfig = config): Promise<string> {
  const file = ggufOf(of, of === config ? parameters : randomParameters(of));
  change(file);
  const path = newPath(".gguf");
  await writeGguf(path, file);
  return path;
}

async function imported(source: string) {
  const dir = newPath();
  const result = await importModel(source, dir);
  return { dir, result, model: await readModelFolder(dir) };
}

const withKeys = (keys: Record<string, TestValue | null>) => (file: TestGguf) => {
  for (const [key, value] of Object.entries(keys)) {
    if (value === null) delete file.metadata[key];
    else file.metadata[key] = value;
  }
};

describe("a GGUF file", () => {
  test("of a Llama is imported with the rows of q and k put back", async () => {
    const { dir, result, model } = await imported(await ggufFile());

    expect(result).toEqual({
      format: "gguf",
      config: { ...config, rms_norm_eps: Math.fround(1e-5) },
      dtype: "F32",
      tensors: 20,
      parameters: [...parameters.values()].reduce((sum, { data }) => sum + data.length, 0),
      vocab: TOKENS.length,
      types: { F32: 20 },
    });
    expect(model.parameters.size).toBe(20);
    for (const [name, { data }] of parameters) expect(model.parameters.get(name)?.data).toEqual(data);
    expect(model.raw_config).toMatchObject({ bos_token_id: 1, eos_token_id: 2, pad_token_id: null });
    expect(model.generation_config).toEqual({ bos_token_id: 1, eos_token_id: 2 });
    expect((await readdir(dir)).sort()).toEqual([
      "config.json",
      "generation_config.json",
      "model.safetensors",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
  });

  test("of a Qwen2 has biases, an untied head, and its rows as they are", async () => {
    const qwen = llamaConfig({
      model_type: "qwen2",
      attention_bias: "qkv",
      tie_word_embeddings: false,
      vocab_size: TOKENS.length + 4,
    });
    const { model, result } = await imported(
      await ggufFile(withKeys({ "tokenizer.ggml.pre": { text: "qwen2" } }), qwen),
    );

    expect(result.config).toEqual({ ...qwen, rms_norm_eps: Math.fround(1e-5) });
    expect(result.vocab).toBe(TOKENS.length);
    const expected = randomParameters(qwen);
    expect(model.parameters.size).toBe(27);
    for (const [name, { data }] of expected) expect(model.parameters.get(name)?.data).toEqual(data);
  });

  test("of a Llama with biases on all four", async () => {
    const biased = llamaConfig({ attention_bias: "qkvo", vocab_size: TOKENS.length });
    const { model } = await imported(await ggufFile(undefined, biased));
    for (const [name, { data }] of randomParameters(biased)) expect(model.parameters.get(name)?.data).toEqual(data);
  });

  test("of 16-bit weights beside float32 norms stays 16-bit unless told", async () => {
    const half = (file: TestGguf) => {
      for (const tensor of file.tensors.filter(({ name }) => !name.includes("norm"))) {
        tensor.type = 30;
        tensor.data = new Uint8Array(
          new Uint16Array(new Uint32Array(Uint8Array.from(tensor.data).buffer).map((x) => x >>> 16)).buffer,
        );
      }
    };
    const path = await ggufFile(half);
    const { result, model } = await imported(path);
    expect(result).toMatchObject({ dtype: "BF16", types: { BF16: 15, F32: 5 } });
    expect(model.dtype).toBe("BF16");
    const dir = newPath();
    expect(await importModel(path, dir, { dtype: "F16" })).toMatchObject({ dtype: "F16" });
    expect((await readModelFolder(dir)).dtype).toBe("F16");
  });

  test("brings tokenizer and chat template along", async () => {
    const { dir } = await imported(await ggufFile());
    const tokenizer = await openTokenizer(dir);
    const id = (token: string) => TOKENS.indexOf(token);

    expect(tokenizer).toMatchObject({ vocab_size: TOKENS.length, bos_id: 1, eos_ids: [2] });
    expect(tokenizer.encode("<|im_start|>hello wo 12\n<|im_end|>")).toEqual(
      ["<|im_start|>", "hello", "Ġwo", "Ġ", "1", "2", "Ċ", "<|im_end|>"].map(id),
    );
    // A user's own token is matched whole and is text, not control.
    expect(tokenizer.encode("<think>")).toEqual([id("<think>")]);
    expect(tokenizer.decode([1, id("<think>"), id("hell"), 2])).toBe("<think>hell");
    const template = JSON.parse(await readFile(join(dir, "tokenizer_config.json"), "utf8")) as {
      chat_template: string;
    };
    expect(template.chat_template).toBe(TEMPLATE);
    await openChatTemplate(dir);
  });

  test.each<[string, number[], boolean]>([
    ["default", [13, 14, 15, 16], false],
    ["gpt-2", [13, 14, 15, 16], false],
    ["smollm", [13, 14, 15, 16], false],
    ["llama-bpe", [13, 14, 15, 16], true],
    ["qwen2", [13, 14, 15, 16], false],
    ["tekken", [13, 14, 15, 16], true],
  ])("cut into words as %s cuts them: it opens, and has its own habits", async (pre, digits, whole) => {
    const { dir } = await imported(await ggufFile(withKeys({ "tokenizer.ggml.pre": { text: pre } })));
    expect(await openTokenizer(dir).then(({ encode }) => encode("1239"))).toEqual(digits);
    const json = JSON.parse(await readFile(join(dir, "tokenizer.json"), "utf8")) as {
      model: { ignore_merges: boolean };
      post_processor: object | null;
    };
    expect(json.model.ignore_merges).toBe(whole);
    expect(json.post_processor !== null).toBe(whole);
  });

  test("several ends of a text, unused tokens, no beginning", async () => {
    const types = TOKENS.map((_, id) => (id < 3 ? 3 : id === 23 ? 5 : 1));
    const keys = {
      "tokenizer.ggml.token_type": { i32s: types },
      "tokenizer.ggml.eot_token_id": { u32: 0 },
      "tokenizer.ggml.bos_token_id": { u32: 2 ** 32 - 1 },
      "tokenizer.ggml.pre": { text: "llama-bpe" },
    };
    const { dir, result, model } = await imported(await ggufFile(withKeys(keys)));

    expect(result.vocab).toBe(23);
    expect(model.raw_config).toMatchObject({ bos_token_id: null, eos_token_id: [2, 0] });
    expect((await openTokenizer(dir)).eos_ids.toSorted()).toEqual([0, 2]);
  });
});

describe("rotary scaling of a GGUF file", () => {
  const llama3 = {
    rope_type: "llama3",
    factor: 32,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  } as const;
  const long = llamaConfig({ vocab_size: TOKENS.length, head_dim: 32, rope_theta: 500_000 });
  const factors = (divisors: number[]) => (file: TestGguf) => {
    const data = f32Bytes(Float32Array.from(divisors));
    file.tensors.push({ name: "rope_freqs.weight", shape: [divisors.length], type: 0, data });
  };

  test("linear", async () => {
    const keys = { "llama.rope.scaling.type": { text: "linear" }, "llama.rope.scaling.factor": { f32: 4 } };
    expect((await imported(await ggufFile(withKeys(keys)))).result.config.rope_scaling).toEqual({
      rope_type: "linear",
      factor: 4,
    });
    const old = await imported(await ggufFile(withKeys({ "llama.rope.scale_linear": { f32: 2 } })));
    expect(old.result.config.rope_scaling).toEqual({ rope_type: "linear", factor: 2 });
  });

  test("llama3, found again from what it divides the frequencies by", async () => {
    const divisors = llama3Divisors(llama3, { rope_theta: 500_000, head_dim: 32 });
    expect(divisors[0]).toBe(1);
    expect(divisors.at(-1)).toBe(32);
    expect(divisors.filter((x) => x > 1 && x < 32).length).toBeGreaterThan(0);
    expect((await imported(await ggufFile(factors(divisors), long))).result.config.rope_scaling).toEqual(llama3);
    const none = await imported(await ggufFile(factors(divisors.map(() => 1)), long));
    expect(none.result.config.rope_scaling).toBeNull();
  });

  test("any other is refused", async () => {
    const odd = await ggufFile(factors(Array.from({ length: 16 }, (_, i) => i + 1)), long);
    await expect(importModel(odd, newPath())).rejects.toThrow("rope_freqs.weight scales");
    const yarn = await ggufFile(withKeys({ "llama.rope.scaling.type": { text: "yarn" } }));
    await expect(importModel(yarn, newPath())).rejects.toThrow('llama.rope.scaling.type is "yarn"');
  });
});

describe("what a GGUF file asks for and is not built is one error, and no folder appears", () => {
  test.each<[string, Record<string, TestValue | null>, string, string]>([
    [
      "another architecture",
      { "general.architecture": { text: "gemma3" } },
      "unsupported_gguf",
      'general.architecture is "gemma3"',
    ],
    ["an adapter", { "general.type": { text: "adapter" } }, "unsupported_gguf", 'general.type is "adapter"'],
    ["a part of several", { "split.count": { u32: 3 } }, "unsupported_gguf", "split.count"],
    ["experts", { "llama.expert_count": { u32: 8 } }, "unsupported_gguf", "llama.expert_count"],
    ["a window", { "llama.attention.sliding_window": { u32: 32 } }, "unsupported_gguf", "sliding_window is 32"],
    [
      "half-rotated heads",
      { "llama.rope.dimension_count": { u32: 2 } },
      "unsupported_gguf",
      "rope.dimension_count is 2",
    ],
    ["WordPiece", { "tokenizer.ggml.model": { text: "bert" } }, "unsupported_gguf", 'tokenizer.ggml.model is "bert"'],
    [
      "an unknown cut",
      { "tokenizer.ggml.pre": { text: "chameleon" } },
      "unsupported_gguf",
      'tokenizer.ggml.pre is "chameleon"',
    ],
    ["no length", { "llama.context_length": null }, "bad_gguf", "key llama.context_length is missing"],
    [
      "a length that is a text",
      { "llama.context_length": { text: "8" } },
      "bad_gguf",
      "llama.context_length is a text",
    ],
    [
      "heads by layer",
      { "llama.attention.head_count_kv": { i32s: [2, 1] } },
      "bad_gguf",
      "head_count_kv is a list of 2",
    ],
    [
      "other heads",
      { "llama.attention.head_count_kv": { u32: 4 } },
      "bad_gguf",
      "tensor blk.0.attn_k.weight has shape [8, 16]",
    ],
    ["a billion layers", { "llama.block_count": { u32: 1e9 } }, "bad_model_config", "num_hidden_layers is 1000000000"],
    ["no layers", { "llama.block_count": { u32: 0 } }, "bad_model_config", "num_hidden_layers is 0"],
    ["heads of odd size", { "llama.attention.key_length": { u32: 3 } }, "bad_model_config", "head_dim is 3"],
    ["no merges", { "tokenizer.ggml.merges": null }, "bad_gguf", "tokenizer.ggml.merges is missing"],
    ["a merge of three", { "tokenizer.ggml.merges": { texts: ["h e", "a b c"] } }, "bad_gguf", "entry 2 is no pair"],
    ["a token twice", { "tokenizer.ggml.tokens": { texts: ["a", "b", "c", "a"] } }, "bad_gguf", '"a" twice'],
    [
      "too many tokens",
      { "tokenizer.ggml.tokens": { texts: [...TOKENS, "x"] } },
      "bad_gguf",
      "25 tokens, but token_embd.weight has rows for 24",
    ],
    ["an end beyond the tokens", { "tokenizer.ggml.eos_token_id": { u32: 99 } }, "bad_gguf", "eos_token_id is 99"],
  ])("%s", async (_name, keys, code, message) => {
    const path = await ggufFile(withKeys(keys));
    const dir = newPath();
    await expect(importModel(path, dir)).rejects.toMatchObject({ code, where: path });
    await expect(importModel(path, dir)).rejects.toThrow(message);
    await expect(readdir(dir)).rejects.toThrow("ENOENT");
  });

  test("tensors missing, surplus, not finite", async () => {
    const without = await ggufFile((file) => file.tensors.splice(3, 1));
    await expect(importModel(without, newPath())).rejects.toThrow("tensor blk.0.attn_k.weight is missing");
    const more = await ggufFile((file) =>
      file.tensors.push({ name: "blk.0.attn_q_norm.weight", shape: [1], type: 0, data: new Uint8Array(4) }),
    );
    await expect(importModel(more, newPath())).rejects.toThrow("tensor blk.0.attn_q_norm.weight is surplus");
    const nan = await ggufFile((file) => {
      const data = Float32Array.from({ length: 16 }, (_, i) => (i === 5 ? Number.NaN : 1));
      const last = file.tensors.find(({ name }) => name === "output_norm.weight");
      if (last !== undefined) last.data = f32Bytes(data);
    });
    await expect(importModel(nan, newPath())).rejects.toThrow("tensor model.norm.weight holds NaN at place 5");
  });
});

describe("a Hugging Face folder", () => {
  async function folder(): Promise<string> {
    const { dir } = await imported(await ggufFile());
    return dir;
  }

  test("is checked and copied, in another dtype where asked", async () => {
    const source = await folder();
    const dir = newPath();
    expect(await importModel(source, dir)).toMatchObject({
      format: "safetensors",
      dtype: "F32",
      vocab: 24,
      types: null,
    });
    expect(await readFile(join(dir, "model.safetensors"))).toEqual(await readFile(join(source, "model.safetensors")));
    expect(await readFile(join(dir, "tokenizer.json"))).toEqual(await readFile(join(source, "tokenizer.json")));

    const half = newPath();
    expect(await importModel(source, half, { dtype: "BF16" })).toMatchObject({ dtype: "BF16" });
    expect((await readModelFolder(half)).raw_config).toMatchObject({ torch_dtype: "bfloat16", eos_token_id: 2 });
  });

  test("whose tokenizer has more ids than the model has rows is refused", async () => {
    const source = newPath();
    const small = llamaConfig({ vocab_size: 10 });
    await writeModelFolder(source, { config: small, parameters: randomParameters(small), dtype: "F32" });
    await expect(importModel(source, newPath())).rejects.toMatchObject({ code: "tokenizer_missing" });
    await copyFile(join(await folder(), "tokenizer.json"), join(source, "tokenizer.json"));
    await expect(importModel(source, newPath())).rejects.toMatchObject({ code: "vocabulary_mismatch", where: source });
  });

  test("with a number that is not finite is refused, naming the tensor", async () => {
    const source = await folder();
    const tensors = new Map(parameters);
    tensors.set("model.norm.weight", { shape: [16], data: new Float32Array(16).fill(Number.POSITIVE_INFINITY) });
    await writeModelFolder(source, { config, parameters: tensors, dtype: "F32", source_dir: source, overwrite: true });
    const dir = newPath();
    await expect(importModel(source, dir)).rejects.toThrow("tensor model.norm.weight holds Infinity at place 0");
    await expect(readdir(dir)).rejects.toThrow("ENOENT");
  });

  test("nothing there, or something in the way", async () => {
    await expect(importModel(newPath(), newPath())).rejects.toMatchObject({ code: "model_not_found" });
    const full = newPath();
    await mkdir(full);
    await writeFile(join(full, "kept"), "");
    await expect(importModel(await ggufFile(), full)).rejects.toMatchObject({ code: "output_not_empty" });
    expect(await readdir(full)).toEqual(["kept"]);
    await rm(full, { recursive: true });
  });
});
