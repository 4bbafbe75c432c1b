import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { randomParameters, randomTensors } from "../../../tests/support/random-parameters.ts";
import { llamaConfig } from "../__fixtures__/llama-config.ts";
import { checkAdapter, loraShapes, mergeAdapter } from "../model/lora.ts";
import type { Tensor } from "../model/parameters.ts";
import { mergedSource, readAdapter, type StoredAdapter, writeAdapter } from "./adapter.ts";
import { openTensorFile } from "./tensor-file.ts";
import { tensorSource } from "./tensor-source.ts";
import { writeTensorFile } from "./write-tensor-file.ts";

const root = await mkdtemp(join(tmpdir(), "pairwright-adapter-"));
let folders = 0;
function newPath(): string {
  folders += 1;
  return join(root, String(folders));
}

const config = llamaConfig();
const shape = { rank: 2, target_modules: ["q_proj" as const, "v_proj" as const, "gate_proj" as const] };
const adapter: StoredAdapter = {
  ...shape,
  alpha: 5,
  tensors: randomTensors(loraShapes(config, shape)),
  base_model_name_or_path: "models/base",
};

/** An adapter's folder with changes to its configuration, or other tensors. */
async function folderOf(changes: Record<string, unknown>, tensors?: ReadonlyMap<string, Tensor>): Promise<string> {
  const dir = newPath();
  await writeAdapter(dir, adapter);
  const path = join(dir, "adapter_config.json");
  const written = JSON.parse(await readFile(path, "utf8")) as object;
  await writeFile(path, JSON.stringify({ ...written, ...changes }));
  if (tensors !== undefined) {
    await rm(join(dir, "adapter_model.safetensors"));
    await writeTensorFile(join(dir, "adapter_model.safetensors"), tensorSource(tensors), { dtype: "F32" });
  }
  return dir;
}

test("an adapter lies as PEFT lays it, and comes back as it was", async () => {
  const dir = newPath();
  await writeAdapter(dir, adapter);

  expect((await readdir(dir)).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
  expect(JSON.parse(await readFile(join(dir, "adapter_config.json"), "utf8"))).toMatchObject({
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    r: 2,
    lora_alpha: 5,
    target_modules: ["q_proj", "v_proj", "gate_proj"],
    base_model_name_or_path: "models/base",
    bias: "none",
  });
  await using file = await openTensorFile(join(dir, "adapter_model.safetensors"));
  expect(file.header.tensors.size).toBe(12);
  const [name, entry] = [...file.header.tensors][0] ?? [];
  expect(name).toBe("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
  expect(entry).toMatchObject({ dtype: "F32", shape: [2, 16] });

  const read = await readAdapter(dir);
  expect(read).toEqual(adapter);
  checkAdapter(read, config, dir);
});

test("PEFT's own order of target_modules, a set's, makes no difference", async () => {
  const read = await readAdapter(await folderOf({ target_modules: ["gate_proj", "v_proj", "q_proj"] }));
  expect(read.target_modules).toEqual(adapter.target_modules);
});

test("an existing folder is refused unless it is to be replaced", async () => {
  const dir = newPath();
  await writeAdapter(dir, adapter);
  await expect(writeAdapter(dir, adapter)).rejects.toMatchObject({ code: "output_not_empty" });
  await writeAdapter(dir, { ...adapter, alpha: 7 }, { overwrite: true });
  expect((await readAdapter(dir)).alpha).toBe(7);
});

test("a source merged tensor by tensor is the merged model", async () => {
  const parameters = randomParameters(config);
  const merged = mergeAdapter(parameters, adapter);
  const source = mergedSource(tensorSource(parameters), adapter);

  for (const [name, { data }] of merged) expect(await source.read(name)).toEqual(data);
  expect(merged.size).toBe(20);
});

describe("what is not plain LoRA is refused by name", () => {
  test.each<[string, unknown]>([
    ["peft_type", "IA3"],
    ["use_rslora", true],
    ["use_dora", true],
    ["fan_in_fan_out", true],
    ["lora_bias", true],
    ["bias", "all"],
    ["modules_to_save", ["lm_head"]],
    ["rank_pattern", { q_proj: 4 }],
    ["alpha_pattern", { q_proj: 4 }],
    ["layers_to_transform", [0]],
    ["layer_replication", [[0, 1]]],
    ["init_lora_weights", "pissa_niter_4"],
    ["target_modules", "all-linear"],
    ["target_modules", []],
    ["target_modules", ["q_proj", "embed_tokens"]],
  ])("%s: %j", async (key, value) => {
    const dir = await folderOf({ [key]: value });
    await expect(readAdapter(dir)).rejects.toMatchObject({
      code: "unsupported_adapter",
      where: join(dir, "adapter_config.json"),
      what: expect.stringMatching(new RegExp(`^${key} is `)),
    });
  });

  test("the same keys, switched off, are fine", async () => {
    const off = {
      use_dora: false,
      rank_pattern: {},
      modules_to_save: null,
      layers_to_transform: [],
      init_lora_weights: "gaussian",
    };
    expect((await readAdapter(await folderOf(off))).rank).toBe(2);
  });
});

describe("a damaged adapter is one error", () => {
  const stored = new Map([...adapter.tensors].map(([name, tensor]) => [`base_model.model.${name}`, tensor]));
  const first = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
  const partner = first.replace("lora_A", "lora_B");
  const zeros = (...sizes: number[]): Tensor => ({
    shape: sizes,
    data: new Float32Array(sizes.reduce((a, b) => a * b, 1)),
  });

  test.each<[string, Record<string, unknown>, ReadonlyMap<string, Tensor> | undefined, string]>([
    ["a tensor without its partner", {}, new Map([[first, zeros(2, 16)]]), `tensor ${partner} is missing`],
    ["another rank", { r: 3 }, undefined, "has shape [2, 16]; adapter_config.json says rank 3"],
    [
      "a layer that is not named",
      { target_modules: ["q_proj", "v_proj"] },
      undefined,
      "gate_proj.lora_A.weight is none of",
    ],
    [
      "a tensor of something else",
      {},
      new Map([...stored, ["model.norm.weight", zeros(16)]]),
      "model.norm.weight is none of",
    ],
    ["none", {}, new Map(), "holds no tensor"],
    ["r missing", { r: null }, undefined, "r is missing"],
    ["alpha not a number", { lora_alpha: "16" }, undefined, 'lora_alpha is "16"'],
  ])("%s", async (_name, changes, tensors, message) => {
    await expect(readAdapter(await folderOf(changes, tensors))).rejects.toThrow(message);
  });

  test("a folder without a configuration, or with one that is no JSON", async () => {
    await expect(readAdapter(newPath())).rejects.toMatchObject({ code: "model_not_found" });
    const dir = await folderOf({});
    await writeFile(join(dir, "adapter_config.json"), "{");
    await expect(readAdapter(dir)).rejects.toMatchObject({ code: "bad_adapter" });
  });
});
