import { type PairwrightError, usageError } from "../../lib/errors.ts";
import type { ModelConfig } from "./model-config.ts";
import { type LinearModule, linearName, linearShape, type Parameters, type Tensor } from "./parameters.ts";

/**
 * Low-rank adapter (Hu et al. 2021, arXiv:2106.09685): a linear layer's weight W [out, in] acts as W + (alpha / rank) B
 * A, with A [rank, in] and B [out, rank].
 */
export interface LoraAdapter {
  rank: number;
  alpha: number;
  /** The linear layers that have one, in every block of the model. */
  target_modules: LinearModule[];
  /** `model.layers.0.self_attn.q_proj.lora_A.weight`, `….lora_B.weight`, and so on. */
  tensors: Parameters;
}

/** The names of A and B of the linear layer called `linear`. */
export function loraNames(linear: string): { a: string; b: string } {
  return { a: `${linear}.lora_A.weight`, b: `${linear}.lora_B.weight` };
}

/** Every tensor of an adapter for this model with its shape, in the order of the layers. */
export function loraShapes(
  config: ModelConfig,
  { rank, target_modules }: Pick<LoraAdapter, "rank" | "target_modules">,
): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (let layer = 0; layer < config.num_hidden_layers; layer += 1) {
    for (const module of target_modules) {
      const [out, into] = linearShape(config, module);
      const { a, b } = loraNames(linearName(layer, module));
      shapes.set(a, [rank, into]);
      shapes.set(b, [out, rank]);
    }
  }
  return shapes;
}

/** Fails with `bad_adapter` unless the adapter has exactly the tensors that it must have for this model. */
export function checkAdapter(adapter: LoraAdapter, config: ModelConfig, where: string): void {
  const shapes = loraShapes(config, adapter);
  for (const [name, shape] of shapes) {
    const tensor = adapter.tensors.get(name);
    if (tensor === undefined) throw badAdapter(where, `tensor ${name} is missing`);
    if (tensor.shape.join() !== shape.join()) {
      const [found, wanted] = [tensor.shape, shape].map((sizes) => `[${sizes.join(", ")}]`);
      throw badAdapter(where, `tensor ${name} has shape ${found}; for this model it is ${wanted}`);
    }
  }
  const surplus = [...adapter.tensors.keys()].find((name) => !shapes.has(name));
  if (surplus !== undefined) throw badAdapter(where, `tensor ${surplus} is surplus: this model has no such layer`);
}

/**
 * The model's weights with the adapter added: W + (alpha / rank) B A. Tensors without an adapter are shared, the others
 * are new.
 */
export function mergeAdapter(parameters: Parameters, adapter: LoraAdapter): Map<string, Tensor> {
  const merged = new Map(parameters);
  const linears = new Set([...adapter.tensors.keys()].map((name) => name.replace(/\.lora_[AB]\.weight$/, "")));
  for (const linear of linears) {
    const name = `${linear}.weight`;
    const weight = parameters.get(name);
    if (weight === undefined) throw badAdapter("adapter", `it stands on ${name}, which the model has not`);
    merged.set(name, { shape: weight.shape, data: mergeWeight(name, weight, adapter) });
  }
  return merged;
}

/** The weight called `name` with its part of the adapter added, in new memory; itself where the adapter has none. */
export function mergeWeight(name: string, weight: Tensor, { rank, alpha, tensors }: LoraAdapter): Float32Array {
  const names = loraNames(name.replace(/\.weight$/, ""));
  const a = tensors.get(names.a);
  const b = tensors.get(names.b);
  if (a === undefined && b === undefined) return weight.data;
  const [out = 0, into = 0] = weight.shape;
  if (a?.shape.join() !== `${rank},${into}` || b?.shape.join() !== `${out},${rank}`) {
    throw badAdapter(names.a, `it does not fit ${name} of shape [${out}, ${into}] at rank ${rank}`);
  }
  return addProduct(weight.data, { a: a.data, b: b.data, out, into, rank, scale: alpha / rank });
}

interface Product {
  a: Float32Array;
  b: Float32Array;
  out: number;
  into: number;
  rank: number;
  scale: number;
}

/** weight + scale · B A, each row summed in float64 and rounded once. */
function addProduct(weight: Float32Array, { a, b, out, into, rank, scale }: Product): Float32Array {
  const sum = new Float32Array(weight.length);
  const row = new Float64Array(into);
  for (let o = 0; o < out; o += 1) {
    row.fill(0);
    for (let k = 0; k < rank; k += 1) {
      const factor = (b[o * rank + k] as number) * scale;
      const start = k * into;
      for (let i = 0; i < into; i += 1) row[i] = (row[i] as number) + factor * (a[start + i] as number);
    }
    const start = o * into;
    for (let i = 0; i < into; i += 1) sum[start + i] = (weight[start + i] as number) + (row[i] as number);
  }
  return sum;
}

export function badAdapter(where: string, what: string): PairwrightError {
  return usageError({ code: "bad_adapter", where, what, fix: "name an adapter that was trained on this base model" });
}
