import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { llamaConfig } from "../../src/engine/__fixtures__/llama-config.ts";
import type { ModelConfig } from "../../src/engine/model/model-config.ts";
import type { Parameters, Tensor } from "../../src/engine/model/parameters.ts";
import { ropeTables } from "../../src/engine/model/rope-tables.ts";
import type { Dtype } from "../../src/engine/weights/dtype.ts";
import { narrow, widen } from "../../src/engine/weights/dtype.ts";
import { readModelFolder } from "../../src/engine/weights/model-folder.ts";
import { writeModelFolder } from "../../src/engine/weights/write-model-folder.ts";
import { randomParameters } from "../support/random-parameters.ts";
import { pythonEnv } from "./python-env.ts";
import { hashesOf, runJob, temporaryFolder } from "./support.ts";

const { env, skip } = await pythonEnv();

interface Described {
  class: string;
  hashes: Record<string, string>;
  frequencies: number[];
  eos_token_id: number | number[];
  dtype: string;
}
interface Report {
  loaded: (Described & { faults: Record<string, string[]> })[];
  written: Described[];
}

const LLAMA3 = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 32,
} as const;

const OURS: Record<string, { config: ModelConfig; dtype: Dtype; class: string }> = {
  tied: { config: llamaConfig(), dtype: "F32", class: "LlamaForCausalLM" },
  untied: { config: llamaConfig({ tie_word_embeddings: false }), dtype: "BF16", class: "LlamaForCausalLM" },
  half: { config: llamaConfig({ head_dim: 6 }), dtype: "F16", class: "LlamaForCausalLM" },
  biased: { config: llamaConfig({ attention_bias: "qkvo" }), dtype: "F32", class: "LlamaForCausalLM" },
  linear: {
    config: llamaConfig({ head_dim: 16, rope_scaling: { rope_type: "linear", factor: 4 } }),
    dtype: "F32",
    class: "LlamaForCausalLM",
  },
  llama3: {
    config: llamaConfig({ head_dim: 32, rope_theta: 500, rope_scaling: LLAMA3 }),
    dtype: "F32",
    class: "LlamaForCausalLM",
  },
  qwen2: {
    config: llamaConfig({ model_type: "qwen2", attention_bias: "qkv" }),
    dtype: "BF16",
    class: "Qwen2ForCausalLM",
  },
  mistral: { config: llamaConfig({ model_type: "mistral" }), dtype: "F32", class: "MistralForCausalLM" },
};

const TORCH = { F32: "torch.float32", F16: "torch.float16", BF16: "torch.bfloat16" };
const SMALL = { vocab_size: 40, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 3, num_attention_heads: 4 };
/** Written by transformers, in one file or in many. */
const THEIRS = [
  { config: { model_type: "llama", ...SMALL, num_key_value_heads: 2, tie_word_embeddings: true }, dtype: "float32" },
  { config: { model_type: "llama", ...SMALL, attention_bias: true, rope_theta: 777 }, dtype: "bfloat16" },
  {
    config: {
      model_type: "llama",
      ...SMALL,
      rope_parameters: { ...LLAMA3, rope_theta: 500, original_max_position_embeddings: 64 },
    },
    dtype: "float16",
  },
  { config: { model_type: "qwen2", ...SMALL, num_key_value_heads: 2 }, dtype: "bfloat16" },
  { config: { model_type: "mistral", ...SMALL, num_key_value_heads: 4, sliding_window: null }, dtype: "float32" },
].flatMap((entry, i) => ["1GB", "8KB"].map((max_shard_size) => ({ ...entry, max_shard_size, seed: i })));

let dir: string;
let report: Report;

beforeAll(async () => {
  if (env === null) return;
  dir = await temporaryFolder("folders");
  const load: string[] = [];
  for (const [name, { config, dtype }] of Object.entries(OURS)) {
    const parameters = randomParameters(config, 3);
    await writeModelFolder(join(dir, name), { config, parameters, dtype, raw_config: { eos_token_id: [2, 7] } });
    load.push(join(dir, name));
  }
  const write = THEIRS.map((entry, i) => ({ ...entry, folder: join(dir, `theirs-${i}`) }));
  report = await runJob<Report>(env, "model_folders.py", { load, write });
});
afterAll(async () => {
  if (env !== null) await rm(dir, { recursive: true, force: true });
});

/** What is left of the weights when they are stored in this dtype. */
function stored(parameters: Parameters, dtype: Dtype): Map<string, Tensor> {
  if (dtype === "F32") return new Map(parameters);
  const entries = [...parameters].map(([name, { shape, data }]): [string, Tensor] => {
    const bits = new Uint16Array(data.length);
    narrow(dtype, data, bits);
    const back = new Float32Array(data.length);
    widen(dtype, bits, back);
    return [name, { shape, data: back }];
  });
  return new Map(entries);
}

/** The angle of position 1 is the frequency itself. */
function frequenciesOf(config: ModelConfig): number[] {
  const { sin, cos } = ropeTables(config, 2);
  const half = config.head_dim / 2;
  return Array.from({ length: half }, (_, pair) => Math.atan2(sin[half + pair] ?? 0, cos[half + pair] ?? 0));
}

test.skipIf(env === null)(`every folder of ours loads in transformers as the same numbers ${skip ?? ""}`, () => {
  expect(report.loaded.length).toBe(8);
  for (const [i, [name, { config, dtype, class: loader }]] of Object.entries(OURS).entries()) {
    const theirs = report.loaded[i]!;
    const parameters = stored(randomParameters(config, 3), dtype);
    expect([name, theirs.faults]).toEqual([name, {}]);
    expect([name, theirs.hashes]).toEqual([name, hashesOf(parameters)]);
    expect(theirs).toMatchObject({ class: loader, dtype: TORCH[dtype], eos_token_id: [2, 7] });
    for (const [pair, frequency] of frequenciesOf(config).entries()) {
      expect(Math.abs(frequency / (theirs.frequencies[pair] ?? 0) - 1)).toBeLessThan(1e-6);
    }
  }
});

test.skipIf(env === null)(
  `every folder that transformers writes is read here as the same numbers ${skip ?? ""}`,
  async () => {
    expect(report.written.length).toBe(10);
    let shards = 0;
    for (const [i, theirs] of report.written.entries()) {
      const folder = join(dir, `theirs-${i}`);
      const model = await readModelFolder(folder);
      expect(hashesOf(model.parameters)).toEqual(theirs.hashes);
      expect(TORCH[model.dtype]).toBe(theirs.dtype);
      for (const [pair, frequency] of frequenciesOf(model.config).entries()) {
        expect(Math.abs(frequency / (theirs.frequencies[pair] ?? 0) - 1)).toBeLessThan(1e-6);
      }
      shards += (await readdir(folder)).filter((name) => /-of-\d+\.safetensors$/.test(name)).length;
    }
    expect(shards).toBeGreaterThan(20);
  },
);
