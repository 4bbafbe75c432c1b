import { appendFile, copyFile, cp, mkdir, mkdtemp, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { randomParameters } from "../../../tests/support/random-parameters.ts";
import { llamaConfig } from "../__fixtures__/llama-config.ts";
import { parameterShapes, sizeOf, type Tensor } from "../model/parameters.ts";
import type { Dtype } from "./dtype.ts";
import { openModelFolder, readModelFolder } from "./model-folder.ts";
import { tensorSource } from "./tensor-source.ts";
import { writeModelFolder } from "./write-model-folder.ts";
import { writeTensorFile } from "./write-tensor-file.ts";

const root = await mkdtemp(join(tmpdir(), "pairwright-model-folder-"));
let folders = 0;
function newPath(): string {
  folders += 1;
  return join(root, String(folders));
}

const config = llamaConfig();
const parameters = randomParameters(config);

/** A folder whose weights are these, written without the checks of `writeModelFolder`. */
async function folderOf(tensors: ReadonlyMap<string, Tensor>, dtype: Dtype = "F32"): Promise<string> {
  const dir = newPath();
  await writeModelFolder(dir, { config, parameters, dtype: "F32" });
  await rm(join(dir, "model.safetensors"));
  await writeTensorFile(join(dir, "model.safetensors"), tensorSource(tensors), { dtype });
  return dir;
}

/** The model in two shards with their index, as transformers writes them. */
async function sharded(change: (weight_map: Record<string, string>) => void = () => undefined): Promise<string> {
  const dir = newPath();
  await writeModelFolder(dir, { config, parameters, dtype: "F32" });
  await rm(join(dir, "model.safetensors"));
  const weight_map: Record<string, string> = {};
  const names = [...parameters.keys()];
  for (const [i, part] of [names.slice(0, 5), names.slice(5)].entries()) {
    const file = `model-0000${i + 1}-of-00002.safetensors`;
    const tensors = new Map(part.map((name) => [name, parameters.get(name) as Tensor]));
    await writeTensorFile(join(dir, file), tensorSource(tensors), { dtype: "F32" });
    for (const name of part) weight_map[name] = file;
  }
  change(weight_map);
  await writeFile(
    join(dir, "model.safetensors.index.json"),
    JSON.stringify({ metadata: { total_size: 1 }, weight_map }),
  );
  return dir;
}

function withTensor(name: string, tensor: Tensor | null): Map<string, Tensor> {
  const changed = new Map(parameters);
  if (tensor === null) changed.delete(name);
  else changed.set(name, tensor);
  return changed;
}

const zeros = (...shape: number[]): Tensor => ({ shape, data: new Float32Array(sizeOf(shape)) });

describe("reading", () => {
  test("what was written in float32 comes back as it was, in the model's order", async () => {
    const dir = newPath();
    const raw_config = { bos_token_id: 1, eos_token_id: [2, 3], initializer_range: 0.3 };
    await writeModelFolder(dir, { config, parameters, dtype: "F32", raw_config });
    const model = await readModelFolder(dir);

    expect(model.config).toEqual(config);
    expect(model.dtype).toBe("F32");
    expect(model.raw_config).toMatchObject(raw_config);
    expect(model.generation_config).toBeNull();
    expect([...model.parameters.keys()]).toEqual([...parameterShapes(config).keys()]);
    expect(model.parameters.size).toBe(20);
    for (const [name, { shape, data }] of parameters) expect(model.parameters.get(name)).toEqual({ shape, data });
  });

  test("half-width weights come back rounded once, and written again they are the same file", async () => {
    for (const dtype of ["BF16", "F16"] as const) {
      const dir = newPath();
      await writeModelFolder(dir, { config, parameters, dtype });
      const model = await readModelFolder(dir);
      const again = newPath();
      await writeModelFolder(again, { ...model, source_dir: dir });

      expect(model.dtype).toBe(dtype);
      const [name = "", { data }] = [...parameters][0] ?? ["", zeros()];
      const most = Math.max(
        ...Array.from(model.parameters.get(name)?.data ?? [], (x, i) => Math.abs(x - (data[i] ?? 0))),
      );
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThan(dtype === "BF16" ? 2 ** -9 : 2 ** -12);
      expect(await readFile(join(again, "model.safetensors"))).toEqual(await readFile(join(dir, "model.safetensors")));
    }
  });

  test("shards are one model", async () => {
    const { parameters: read } = await readModelFolder(await sharded());
    for (const [name, { data }] of parameters) expect(read.get(name)?.data).toEqual(data);
  });

  test("weights of mixed kinds: the dtype is that of most numbers", async () => {
    const dir = newPath();
    await writeModelFolder(dir, { config, parameters, dtype: "BF16" });
    await rm(join(dir, "model.safetensors"));
    const names = [...parameters.keys()];
    const weight_map: Record<string, string> = {};
    for (const [file, dtype, part] of [
      ["a.safetensors", "F32", names.filter((name) => name.includes("norm"))],
      ["b.safetensors", "BF16", names.filter((name) => !name.includes("norm"))],
    ] as const) {
      const tensors = new Map(part.map((name) => [name, parameters.get(name) as Tensor]));
      await writeTensorFile(join(dir, file), tensorSource(tensors), { dtype });
      for (const name of part) weight_map[name] = file;
    }
    await writeFile(join(dir, "model.safetensors.index.json"), JSON.stringify({ weight_map }));

    const model = await readModelFolder(dir);
    expect(model.dtype).toBe("BF16");
    expect(model.parameters.get("model.norm.weight")?.data).toEqual(parameters.get("model.norm.weight")?.data);
  });

  test("rotary tables of old models are passed over", async () => {
    const dir = await folderOf(withTensor("model.layers.1.self_attn.rotary_emb.inv_freq", zeros(2)));
    expect((await readModelFolder(dir)).parameters.size).toBe(20);
  });

  test("Qwen2's biases and an untied head are part of the model", async () => {
    const qwen = llamaConfig({ model_type: "qwen2", attention_bias: "qkv", tie_word_embeddings: false });
    const dir = newPath();
    await writeModelFolder(dir, { config: qwen, parameters: randomParameters(qwen), dtype: "F32" });
    const model = await readModelFolder(dir);

    expect(model.config).toEqual(qwen);
    expect(model.parameters.get("model.layers.1.self_attn.k_proj.bias")?.shape).toEqual([8]);
    expect(model.parameters.get("lm_head.weight")?.shape).toEqual([24, 16]);
  });
});

describe("a tied head", () => {
  const embedding = parameters.get("model.embed_tokens.weight") as Tensor;

  test("that is stored too, and equal, is passed over", async () => {
    const { parameters: read } = await readModelFolder(await folderOf(withTensor("lm_head.weight", embedding)));
    expect([...read.keys()]).toEqual([...parameters.keys()]);
  });

  test("that is stored instead of the embedding is the embedding", async () => {
    const tensors = withTensor("lm_head.weight", embedding);
    tensors.delete("model.embed_tokens.weight");
    const { parameters: read } = await readModelFolder(await folderOf(tensors));
    expect(read.get("model.embed_tokens.weight")?.data).toEqual(embedding.data);
  });

  test("that differs from the embedding contradicts config.json", async () => {
    const other = { shape: embedding.shape, data: embedding.data.map((x, i) => (i === 300 ? x + 1 : x)) };
    await expect(readModelFolder(await folderOf(withTensor("lm_head.weight", other)))).rejects.toThrow(
      "lm_head.weight is not equal to model.embed_tokens.weight",
    );
  });
});

describe("a faulty folder is one error that names file and tensor", () => {
  test.each<[string, string, Tensor | null, string]>([
    ["missing", "model.layers.1.mlp.up_proj.weight", null, "tensor model.layers.1.mlp.up_proj.weight is missing"],
    [
      "surplus",
      "model.layers.2.mlp.up_proj.weight",
      zeros(20, 16),
      "tensor model.layers.2.mlp.up_proj.weight is surplus",
    ],
    ["a bias too many", "model.layers.0.self_attn.q_proj.bias", zeros(16), "q_proj.bias is surplus"],
    [
      "of another shape",
      "model.norm.weight",
      zeros(17),
      "tensor model.norm.weight has shape [17]; by config.json it is [16]",
    ],
    [
      "transposed",
      "model.layers.0.mlp.down_proj.weight",
      zeros(20, 16),
      "has shape [20, 16]; by config.json it is [16, 20]",
    ],
  ])("a tensor is %s", async (_name, name, tensor, message) => {
    const dir = await folderOf(withTensor(name, tensor));
    await expect(readModelFolder(dir)).rejects.toMatchObject({
      code: "bad_weights",
      where: join(dir, "model.safetensors"),
    });
    await expect(readModelFolder(dir)).rejects.toThrow(message);
  });

  test.each<[string, (map: Record<string, string>) => void, string]>([
    [
      "puts a tensor into the wrong shard",
      (map) => {
        map["model.norm.weight"] = "model-00001-of-00002.safetensors";
      },
      "model.norm.weight is not in model-00001",
    ],
    [
      "forgets a tensor",
      (map) => {
        delete map["model.norm.weight"];
      },
      "holds tensor model.norm.weight, which weight_map does not",
    ],
    [
      "names a file elsewhere",
      (map) => {
        map["model.norm.weight"] = "../1/model.safetensors";
      },
      "no .safetensors file of this folder",
    ],
    [
      "names a shard that is not there",
      (map) => {
        map.x = "model-00003.safetensors";
      },
      "model-00003.safetensors",
    ],
  ])("an index that %s", async (_name, change, message) => {
    const dir = await sharded(change);
    await expect(readModelFolder(dir)).rejects.toThrow(message);
  });

  test("a shard cut short is named", async () => {
    const dir = await sharded();
    const shard = join(dir, "model-00002-of-00002.safetensors");
    await writeFile(shard, (await readFile(shard)).subarray(0, -1));
    await expect(readModelFolder(dir)).rejects.toMatchObject({ code: "bad_weights", where: shard });
  });

  test("no folder, no weights, a pickle, a config that is none", async () => {
    await expect(readModelFolder(newPath())).rejects.toMatchObject({ code: "model_not_found" });
    const dir = newPath();
    await writeModelFolder(dir, { config, parameters, dtype: "F32" });
    await rm(join(dir, "model.safetensors"));
    await expect(readModelFolder(dir)).rejects.toThrow("neither model.safetensors nor");
    await writeFile(join(dir, "pytorch_model.bin"), "");
    await expect(readModelFolder(dir)).rejects.toThrow("a pickle (pytorch_model.bin)");
    await writeFile(join(dir, "config.json"), "{");
    await expect(readModelFolder(dir)).rejects.toMatchObject({ code: "bad_model_config" });
  });
});

describe("a folder that is written while it is read is noticed", () => {
  async function opened() {
    const dir = newPath();
    await writeModelFolder(dir, { config, parameters, dtype: "F32" });
    return { dir, weights: join(dir, "model.safetensors"), model: await openModelFolder(dir) };
  }

  test("the weights are overwritten in place by others of the same size", async () => {
    const { dir, weights, model } = await opened();
    await using _ = model;
    await model.source.read("model.norm.weight");
    const other = newPath();
    await writeModelFolder(other, { config, parameters: randomParameters(config, 2), dtype: "F32" });
    // A copy that sets the time back to the original's, as rsync does.
    await copyFile(join(other, "model.safetensors"), weights);
    await utimes(weights, 1, 1);
    await expect(model.check()).rejects.toMatchObject({ code: "model_changed", where: weights });
    expect((await readModelFolder(dir)).parameters.size).toBe(20);
  });

  test("another file is put in the place of the weights, or of the configuration", async () => {
    for (const name of ["model.safetensors", "config.json"]) {
      const { dir, model } = await opened();
      await using _ = model;
      await cp(join(dir, name), join(dir, "new"));
      await rename(join(dir, "new"), join(dir, name));
      await expect(model.check()).rejects.toMatchObject({ code: "model_changed", where: join(dir, name) });
    }
  });

  test("a file vanishes", async () => {
    const { weights, model } = await opened();
    await using _ = model;
    await rm(weights);
    await expect(model.check()).rejects.toMatchObject({ code: "model_changed", where: weights });
  });

  test("a file that is still growing does not fit its header", async () => {
    const { dir, weights, model } = await opened();
    await model[Symbol.asyncDispose]();
    const bytes = await readFile(weights);
    await writeFile(weights, bytes.subarray(0, bytes.length / 2));
    await expect(readModelFolder(dir)).rejects.toThrow("truncated");
    await appendFile(weights, bytes.subarray(bytes.length / 2));
    expect((await readModelFolder(dir)).parameters.size).toBe(20);
  });

  test("untouched, it is fine", async () => {
    const { dir, model } = await opened();
    await using _ = model;
    for (const name of model.source.shapes.keys()) await model.source.read(name);
    await mkdir(join(dir, "beside"));
    await model.check();
  });
});
