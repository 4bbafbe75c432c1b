import { chmod, mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { randomParameters } from "../../../tests/support/random-parameters.ts";
import { llamaConfig } from "../__fixtures__/llama-config.ts";
import type { Tensor } from "../model/parameters.ts";
import { readConfig } from "../model/read-config.ts";
import { configJson, configText } from "./config-json.ts";
import { readModelFolder } from "./model-folder.ts";
import { type TensorSource, tensorSource } from "./tensor-source.ts";
import { writeModelFolder } from "./write-model-folder.ts";

const root = await mkdtemp(join(tmpdir(), "pairwright-write-model-"));
let folders = 0;
async function newPath(): Promise<string> {
  folders += 1;
  await mkdir(join(root, String(folders)));
  return join(root, String(folders), "model");
}

const config = llamaConfig();
const parameters = randomParameters(config);

describe("config.json", () => {
  const llama3 = {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 32,
  } as const;

  test.each([
    ["llama", llamaConfig()],
    ["llama with biases", llamaConfig({ attention_bias: "qkvo", tie_word_embeddings: false })],
    ["linear positions", llamaConfig({ rope_scaling: { rope_type: "linear", factor: 4 } })],
    ["llama3 positions", llamaConfig({ rope_theta: 5e5, rope_scaling: llama3 })],
    ["qwen2", llamaConfig({ model_type: "qwen2", attention_bias: "qkv" })],
    ["mistral", llamaConfig({ model_type: "mistral", head_dim: 6 })],
  ])("%s is read back as it was", (_name, model) => {
    const raw = JSON.parse(JSON.stringify(configJson(model, { dtype: "BF16" }))) as unknown;
    expect(readConfig(raw, "config.json")).toEqual(model);
    expect(raw).toMatchObject({ torch_dtype: "bfloat16" });
  });

  test("what the source's config says beside is kept; what is no longer true is not", () => {
    const raw_config = {
      eos_token_id: 2,
      attention_dropout: 0.1,
      rope_parameters: { rope_type: "linear", rope_theta: 1, factor: 2 },
      dtype: "float16",
      vocab_size: 7,
      architectures: ["X"],
    };
    const written = configJson(config, { dtype: "F32", raw_config });

    expect(written).toMatchObject({ eos_token_id: 2, attention_dropout: 0.1, vocab_size: 24, rope_scaling: null });
    expect(written).toMatchObject({ architectures: ["LlamaForCausalLM"], torch_dtype: "float32" });
    expect(written).not.toHaveProperty("rope_parameters");
    expect(written).not.toHaveProperty("dtype");
  });

  test("factors are written as Python writes floats: transformers 4 warns of whole numbers", () => {
    const text = configText(configJson(llamaConfig({ rope_scaling: llama3 }), { dtype: "F32" }));
    expect(text).toContain('"rope_theta": 10000.0,');
    expect(text).toContain('"factor": 8.0,');
    expect(text).toContain('"low_freq_factor": 1.0,');
    expect(text).toContain('"original_max_position_embeddings": 32\n');
    expect(readConfig(JSON.parse(text), "config.json").rope_scaling).toEqual(llama3);
  });

  test("biases that no class of transformers has are refused", () => {
    expect(() => configJson(llamaConfig({ attention_bias: "qkv" }), { dtype: "F32" })).toThrow(
      'attention bias is "qkv"',
    );
  });
});

describe("the folder", () => {
  test("takes tokenizer, template and generation_config along, and texts that are given", async () => {
    const source_dir = await newPath();
    await writeModelFolder(source_dir, { config, parameters, dtype: "F32", raw_config: { eos_token_id: 5 } });
    for (const name of ["tokenizer.json", "chat_template.jinja", "generation_config.json", "README.md"]) {
      await writeFile(join(source_dir, name), `{"of": "${name}"}`);
    }
    // As a hub's cache has them.
    await chmod(join(source_dir, "tokenizer.json"), 0o444);
    const dir = await newPath();
    await writeModelFolder(dir, {
      config,
      parameters,
      dtype: "BF16",
      source_dir,
      files: { "chat_template.jinja": "mine" },
    });

    expect((await readdir(dir)).sort()).toEqual([
      "chat_template.jinja",
      "config.json",
      "generation_config.json",
      "model.safetensors",
      "tokenizer.json",
    ]);
    expect(await readFile(join(dir, "chat_template.jinja"), "utf8")).toBe("mine");
    const model = await readModelFolder(dir);
    expect(model.raw_config.eos_token_id).toBe(5);
    expect(model.generation_config).toEqual({ of: "generation_config.json" });
  });

  test("is refused where something is already, unless it is to be replaced", async () => {
    const dir = await newPath();
    await mkdir(dir);
    await writeModelFolder(dir, { config, parameters, dtype: "F32" });
    const other = { config, parameters: randomParameters(config, 2), dtype: "F32" as const };
    await expect(writeModelFolder(dir, other)).rejects.toMatchObject({ code: "output_not_empty", where: dir });
    expect((await readModelFolder(dir)).parameters.get("model.norm.weight")).toEqual(
      parameters.get("model.norm.weight"),
    );

    await writeModelFolder(dir, { ...other, overwrite: true });
    expect((await readModelFolder(dir)).parameters.get("model.norm.weight")).toEqual(
      other.parameters.get("model.norm.weight"),
    );
    expect(await readdir(join(dir, ".."))).toEqual(["model"]);
  });

  test("does not appear, and leaves nothing, when writing stops half-way; what was there stays", async () => {
    const dir = await newPath();
    await writeModelFolder(dir, { config, parameters, dtype: "F32" });
    const before = await readFile(join(dir, "model.safetensors"));
    const whole = tensorSource(parameters);
    const broken: TensorSource = {
      shapes: whole.shapes,
      read(name) {
        if (name === "model.norm.weight") throw Object.assign(new Error("no space"), { code: "ENOSPC" });
        return whole.read(name);
      },
    };
    await expect(
      writeModelFolder(dir, { config, parameters: broken, dtype: "F32", overwrite: true }),
    ).rejects.toMatchObject({ code: "disk_full", where: dir, exit_code: 5 });

    expect(await readdir(join(dir, ".."))).toEqual(["model"]);
    expect(await readFile(join(dir, "model.safetensors"))).toEqual(before);
  });

  test("where nothing can be written, the error says so", async () => {
    const dir = await newPath();
    await writeFile(join(dir, "..", "file"), "");
    await expect(
      writeModelFolder(join(dir, "..", "file", "model"), { config, parameters, dtype: "F32" }),
    ).rejects.toMatchObject({ code: "output_not_writable", exit_code: 2 });
  });

  test("holds the weights of the configuration, or is not written", async () => {
    const wrong = (name: string, tensor: Tensor | null) => {
      const tensors = new Map(parameters);
      if (tensor === null) tensors.delete(name);
      else tensors.set(name, tensor);
      return newPath().then((dir) => writeModelFolder(dir, { config, parameters: tensors, dtype: "F32" }));
    };
    await expect(wrong("model.norm.weight", null)).rejects.toThrow("tensor model.norm.weight is missing");
    const small = { shape: [3], data: new Float32Array(3) };
    await expect(wrong("model.norm.weight", small)).rejects.toThrow("has shape [3], not [16]");
    await expect(wrong("model.x", small)).rejects.toThrow("tensor model.x is surplus");
    const short = { shape: [16], data: new Float32Array(3) };
    await expect(wrong("model.norm.weight", short)).rejects.toThrow("came with 3 numbers");
  });

  test("a number that float16 cannot hold is told with its tensor", async () => {
    const tensors = new Map(parameters);
    tensors.set("model.norm.weight", { shape: [16], data: new Float32Array(16).fill(65_520) });
    const dir = await newPath();
    await expect(writeModelFolder(dir, { config, parameters: tensors, dtype: "F16" })).rejects.toMatchObject({
      code: "f16_overflow",
      where: "model.norm.weight",
    });
    tensors.set("model.norm.weight", { shape: [16], data: new Float32Array(16).fill(65_519) });
    await writeModelFolder(dir, { config, parameters: tensors, dtype: "F16" });
    expect((await readModelFolder(dir)).parameters.get("model.norm.weight")?.data[0]).toBe(65_504);
  });

  test("the numbers of the file begin at a multiple of 8", async () => {
    const dir = await newPath();
    await writeModelFolder(dir, { config, parameters, dtype: "F32" });
    const bytes = await readFile(join(dir, "model.safetensors"));
    expect(Number(bytes.readBigUInt64LE(0)) % 8).toBe(0);
  });
});
