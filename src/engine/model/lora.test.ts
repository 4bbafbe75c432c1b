import { expect, test } from "vitest";
import { randomParameters, randomTensors } from "../../../tests/support/random-parameters.ts";
import { llamaConfig } from "../__fixtures__/llama-config.ts";
import { checkAdapter, type LoraAdapter, loraShapes, mergeAdapter } from "./lora.ts";
import type { Tensor } from "./parameters.ts";

const config = llamaConfig();
const parameters = randomParameters(config);

function adapterOf(changes: Partial<LoraAdapter> = {}): LoraAdapter {
  const shape = { rank: 3, target_modules: ["q_proj" as const, "down_proj" as const] };
  return { ...shape, alpha: 6, tensors: randomTensors(loraShapes(config, shape), 5), ...changes };
}

test("an adapter has A and B for each named layer of each block", () => {
  expect([...loraShapes(config, { rank: 3, target_modules: ["v_proj", "down_proj"] })]).toEqual([
    ["model.layers.0.self_attn.v_proj.lora_A.weight", [3, 16]],
    ["model.layers.0.self_attn.v_proj.lora_B.weight", [8, 3]],
    ["model.layers.0.mlp.down_proj.lora_A.weight", [3, 20]],
    ["model.layers.0.mlp.down_proj.lora_B.weight", [16, 3]],
    ["model.layers.1.self_attn.v_proj.lora_A.weight", [3, 16]],
    ["model.layers.1.self_attn.v_proj.lora_B.weight", [8, 3]],
    ["model.layers.1.mlp.down_proj.lora_A.weight", [3, 20]],
    ["model.layers.1.mlp.down_proj.lora_B.weight", [16, 3]],
  ]);
});

test("merging adds alpha / rank times B A: a worked example", () => {
  const weight: Tensor = { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
  const tensors = new Map<string, Tensor>([
    ["x.lora_A.weight", { shape: [1, 3], data: Float32Array.of(1, 0, -1) }],
    ["x.lora_B.weight", { shape: [2, 1], data: Float32Array.of(10, 20) }],
  ]);
  const merged = mergeAdapter(new Map([["x.weight", weight]]), { rank: 1, alpha: 0.5, target_modules: [], tensors });

  // B A = [[10, 0, -10], [20, 0, -20]], halved.
  expect([...(merged.get("x.weight")?.data ?? [])]).toEqual([6, 2, -2, 14, 5, -4]);
  expect([...weight.data]).toEqual([1, 2, 3, 4, 5, 6]);
});

test("merging touches the named layers only, and every number of them is right", () => {
  const adapter = adapterOf();
  const merged = mergeAdapter(parameters, adapter);

  let changed = 0;
  for (const [name, tensor] of parameters) {
    if (!/q_proj|down_proj/.test(name)) {
      expect(merged.get(name)).toBe(tensor);
      continue;
    }
    changed += 1;
    const [out = 0, into = 0] = tensor.shape;
    const a = adapter.tensors.get(name.replace("weight", "lora_A.weight"))?.data ?? [];
    const b = adapter.tensors.get(name.replace("weight", "lora_B.weight"))?.data ?? [];
    const expected = Array.from({ length: out * into }, (_, at) => {
      const [o, i] = [Math.floor(at / into), at % into];
      const product = [0, 1, 2].reduce((sum, k) => sum + (b[o * 3 + k] ?? 0) * (a[k * into + i] ?? 0), 0);
      return Math.fround((tensor.data[at] ?? 0) + 2 * product);
    });
    const data = merged.get(name)?.data ?? [];
    expect(Math.max(...expected.map((x, at) => Math.abs(x - (data[at] ?? 0))))).toBeLessThan(1e-7);
  }
  expect(changed).toBe(4);
});

test("an adapter of another model is refused by tensor", () => {
  const full = adapterOf().tensors;
  const first = "model.layers.0.self_attn.q_proj.lora_A.weight";
  const changed = (name: string, tensor: Tensor | null) => {
    const tensors = new Map(full);
    if (tensor === null) tensors.delete(name);
    else tensors.set(name, tensor);
    return adapterOf({ tensors });
  };
  const zeros = (...shape: number[]): Tensor => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
  const check = (adapter: LoraAdapter) => () => checkAdapter(adapter, config, "adapter");

  check(adapterOf())();
  expect(check(changed(first, null))).toThrow(`tensor ${first} is missing`);
  expect(check(changed(first, zeros(3, 15)))).toThrow(
    `tensor ${first} has shape [3, 15]; for this model it is [3, 16]`,
  );
  expect(check(changed("model.layers.9.mlp.up_proj.lora_A.weight", zeros(3, 16)))).toThrow("is surplus");
  expect(() => mergeAdapter(parameters, changed(first, null))).toThrow("does not fit");
  expect(() => mergeAdapter(parameters, changed(first, zeros(2, 16)))).toThrow("does not fit");
  const elsewhere = changed("model.layers.9.mlp.up_proj.lora_A.weight", zeros(3, 16));
  expect(() => mergeAdapter(parameters, elsewhere)).toThrow(
    "model.layers.9.mlp.up_proj.weight, which the model has not",
  );
});
