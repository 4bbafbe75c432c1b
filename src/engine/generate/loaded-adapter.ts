import { type LoraAdapter, loraNames } from "../model/lora.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { type LinearModule, linearName, linearShape, type Parameters } from "../model/parameters.ts";
import { LORA_GROUP } from "./lora-branch.ts";
import { wideHead, widenHeads } from "./wide-heads.ts";

/** The linear layers of a block as the decode graph has them. */
const SERVED_LINEARS: readonly { part: string; modules: readonly LinearModule[] }[] = [
  { part: "qkv", modules: ["q_proj", "k_proj", "v_proj"] },
  { part: "o", modules: ["o_proj"] },
  { part: "gate", modules: ["gate_proj"] },
  { part: "up", modules: ["up_proj"] },
  { part: "down", modules: ["down_proj"] },
];

/** A and B of one branch: `down` [groups, in, 16], `up` [groups * 16, out]. */
export interface Pieces {
  down: Float32Array;
  up: Float32Array;
}

/** An adapter in a decoder's memory. */
export interface LoadedAdapter {
  /** Filled up with zeros to a power of two of at least 16. */
  readonly rank: number;
  /** alpha / the rank that it was trained with. */
  readonly scale: number;
  /** One for each branch: parts of the matrices of all adapters. */
  pieces: Pieces[];
  /** Where its ranks begin among those of all. */
  offset: number;
}

/** A linear layer of the decode graph, with the model's own layers that are packed in it. */
export interface Branch {
  name: string;
  layer: number;
  modules: readonly LinearModule[];
  into: number;
  /** Outputs of each of the modules, and of all. */
  outs: readonly number[];
  out: number;
}

/** Every branch of a model, in the order of its layers. */
export function branchesOf(config: ModelConfig): Branch[] {
  const wide = { ...config, head_dim: wideHead(config) };
  return Array.from({ length: config.num_hidden_layers }, (_, layer) =>
    SERVED_LINEARS.map(({ part, modules }) => {
      const shapes = modules.map((module) => linearShape(wide, module));
      const outs = shapes.map(([rows]) => rows);
      const out = outs.reduce((sum, rows) => sum + rows, 0);
      return { name: `layer ${layer} ${part}`, layer, modules, into: shapes[0]?.[1] ?? 0, outs, out };
    }),
  ).flat();
}

/** An adapter as a decoder takes it, in new memory. */
export function loadedAdapter(
  branches: readonly Branch[],
  { rank: trained_rank, alpha, tensors }: LoraAdapter,
  config: ModelConfig,
): LoadedAdapter {
  const rank = Math.max(LORA_GROUP, 2 ** Math.ceil(Math.log2(trained_rank)));
  const wide = widenHeads(config, tensors);
  const pieces = branches.map((branch) => piecesOf(branch, wide, rank));
  return { rank, scale: alpha / trained_rank, pieces, offset: 0 };
}

/** The matrices of one branch: each of its layers has ranks of its own, which reach that layer's outputs only. */
function piecesOf({ layer, modules, into, outs, out }: Branch, tensors: Parameters, rank: number): Pieces {
  const down = new Float32Array(modules.length * rank * into);
  const up = new Float32Array(modules.length * rank * out);
  let first_out = 0;
  modules.forEach((module, part) => {
    const names = loraNames(linearName(layer, module));
    const [a, b] = [tensors.get(names.a), tensors.get(names.b)];
    const own_rank = a && b ? (b.shape[1] ?? 0) : 0;
    const rows = outs[part] ?? 0;
    for (let k = 0; k < own_rank; k += 1) {
      const at = part * rank + k;
      const group = (at - (at % LORA_GROUP)) * into + (at % LORA_GROUP);
      for (let i = 0; i < into; i += 1) down[group + i * LORA_GROUP] = a?.data[k * into + i] ?? 0;
      for (let o = 0; o < rows; o += 1) up[at * out + first_out + o] = b?.data[o * own_rank + k] ?? 0;
    }
    first_out += rows;
  });
  return { down, up };
}
