import type { ModelConfig } from "../../model/model-config.ts";
import { parameterShapes } from "../../model/parameters.ts";
import type { TensorSource } from "../tensor-source.ts";
import type { GgufFile } from "./open-gguf.ts";
import { badGguf } from "./parse-gguf.ts";

/** llama.cpp's names of a block's parts, by Hugging Face's. */
const PARTS: ReadonlyMap<string, string> = new Map([
  ["input_layernorm", "attn_norm"],
  ["self_attn.q_proj", "attn_q"],
  ["self_attn.k_proj", "attn_k"],
  ["self_attn.v_proj", "attn_v"],
  ["self_attn.o_proj", "attn_output"],
  ["post_attention_layernorm", "ffn_norm"],
  ["mlp.gate_proj", "ffn_gate"],
  ["mlp.up_proj", "ffn_up"],
  ["mlp.down_proj", "ffn_down"],
]);
const OUTSIDE: ReadonlyMap<string, string> = new Map([
  ["model.embed_tokens.weight", "token_embd.weight"],
  ["model.norm.weight", "output_norm.weight"],
  ["lm_head.weight", "output.weight"],
]);

/** Read with the configuration. */
const READ_ELSEWHERE = ["rope_freqs.weight"];

/**
 * The tensors of a GGUF file as those of the model: by Hugging Face's names, float32, the rows of q and k in Hugging
 * Face's order. Fails with `bad_gguf` on a tensor that is missing, surplus or of another shape.
 */
export function ggufSource(file: GgufFile, config: ModelConfig): TensorSource {
  const shapes = parameterShapes(config);
  const needed = new Set(READ_ELSEWHERE);
  for (const [name, shape] of shapes) {
    const stored = ggufName(name);
    const tensor = file.tensors.get(stored);
    if (tensor === undefined) throw badGguf(file.path, `tensor ${stored} is missing`);
    if (tensor.shape.join() !== shape.join()) {
      const [found, wanted] = [tensor.shape, shape].map((sizes) => `[${sizes.join(", ")}]`);
      throw badGguf(file.path, `tensor ${stored} has shape ${found}; by the metadata it is ${wanted}`);
    }
    needed.add(stored);
  }
  const surplus = [...file.tensors.keys()].find((name) => !needed.has(name));
  if (surplus !== undefined) {
    throw badGguf(file.path, `tensor ${surplus} is surplus: a ${config.model_type} model of this shape has none`);
  }
  return { shapes, read: (name) => readInOrder(file, name, config) };
}

/** llama.cpp's name of a tensor. */
export function ggufName(name: string): string {
  const outside = OUTSIDE.get(name);
  if (outside !== undefined) return outside;
  const [, layer = "", part = "", kind = ""] = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  const stored = PARTS.get(part);
  if (stored === undefined) throw new RangeError(`no tensor ${name} in GGUF files`);
  return `blk.${layer}.${stored}.${kind}`;
}

async function readInOrder(file: GgufFile, name: string, config: ModelConfig): Promise<Float32Array> {
  const numbers = await file.read(ggufName(name));
  // Only the converter of the llama architecture reorders.
  if (config.model_type !== "llama") return numbers;
  if (name.includes(".q_proj.")) return unpermute(numbers, config.num_attention_heads, config.head_dim);
  if (name.includes(".k_proj.")) return unpermute(numbers, config.num_key_value_heads, config.head_dim);
  return numbers;
}

/**
 * llama.cpp rotates pairs of neighbours (0, 1), (2, 3) …, Hugging Face pairs (0, d/2), (1, d/2 + 1) … of a head: its
 * converter put row i + h·d/2 of each head (h = 0, 1) at 2i + h. This puts it back. `numbers` holds `heads · head_dim`
 * rows.
 */
export function unpermute(numbers: Float32Array, heads: number, head_dim: number): Float32Array {
  const half = head_dim / 2;
  const row = numbers.length / (heads * head_dim);
  const ordered = new Float32Array(numbers.length);
  for (let head = 0; head < heads; head += 1) {
    for (let i = 0; i < head_dim; i += 1) {
      const from = (head * head_dim + i) * row;
      const into = (head * head_dim + (i >> 1) + (i & 1) * half) * row;
      ordered.set(numbers.subarray(from, from + row), into);
    }
  }
  return ordered;
}
