import { product } from "../graph/dimensions.ts";
import { recomputed } from "../graph/gradient.ts";
import type { Keep, Value } from "../graph/graph.ts";
import { attention } from "../graph/ops/attention.ts";
import { add, reshape, transpose } from "../graph/ops/basic.ts";
import { gatherRows } from "../graph/ops/indexing.ts";
import { gemm, linear } from "../graph/ops/matmul.ts";
import { rmsNorm } from "../graph/ops/rms-norm.ts";
import { type Rotary, rotate } from "../graph/ops/rotary.ts";
import { swiglu } from "../graph/ops/swiglu.ts";
import type { ModelConfig } from "./model-config.ts";
import { type LinearModule, linearName } from "./parameters.ts";

/** What a forward pass is over: rows of tokens, where each stands, and what it may look at. */
export interface ForwardInputs {
  /** Token ids, int64 [B, T]. */
  tokens: Value;
  rotary: Rotary;
  /** [B, 1, 1, T, T]: 0 where a token (fourth axis) may look at another (fifth), -1e30 where not. */
  mask: Value;
}

export interface ForwardOptions {
  /** The weights by name; with `.lora_A.weight` and `.lora_B.weight` of a linear layer among them, its adapter is added. */
  weights: ReadonlyMap<string, Value>;
  /** alpha / rank of the adapters. */
  adapter_scale?: number;
  recompute?: Recompute;
}

/**
 * What of each block is made again in the backward pass instead of being kept until then: nothing; all but what linear
 * layers give (without the values of attention, the cheapest), so that little time is lost; or all, so that as little as
 * can be is in memory.
 */
export type Recompute = "nothing" | "all_but_products" | "all";

/** The hidden states after the last norm, [B*T, hidden_size], of a Llama-family model. */
export function hiddenStates(config: ModelConfig, inputs: ForwardInputs, options: ForwardOptions): Value {
  const { tokens } = inputs;
  const count = product(...tokens.shape);
  const embedded = gatherRows(weight(options, "model.embed_tokens.weight"), tokens);
  let x = reshape(embedded, [count, config.hidden_size]);
  for (let layer = 0; layer < config.num_hidden_layers; layer += 1) {
    const block = (value: Value, keep: Keep) => decoderBlock(config, layer, value, inputs, { ...options, keep });
    x = blockOutput(block, x, options.recompute ?? "nothing");
  }
  return rmsNorm(x, weight(options, "model.norm.weight"), config.rms_norm_eps);
}

function blockOutput(block: (x: Value, keep: Keep) => Value, x: Value, recompute: Recompute): Value {
  const keepNothing: Keep = (value) => value;
  if (recompute === "nothing") return block(x, keepNothing);
  return recomputed(recompute === "all" ? (again) => block(again, keepNothing) : block, x);
}

interface BlockOptions extends ForwardOptions {
  keep: Keep;
}

function decoderBlock(
  config: ModelConfig,
  layer: number,
  x: Value,
  inputs: ForwardInputs,
  options: BlockOptions,
): Value {
  const { keep } = options;
  const norm = (value: Value, name: string) =>
    rmsNorm(value, weight(options, `model.layers.${layer}.${name}.weight`), config.rms_norm_eps);
  const project = (value: Value, module: LinearModule) => projection(value, linearName(layer, module), options);

  const attended = selfAttention(config, norm(x, "input_layernorm"), inputs, { project, keep });
  const middle = keep(add(x, project(attended, "o_proj")));
  const normed = norm(middle, "post_attention_layernorm");
  const [gate, up] = [keep(project(normed, "gate_proj")), keep(project(normed, "up_proj"))];
  return add(middle, project(swiglu(gate, up), "down_proj"));
}

/** Attention over the normed states [B*T, hidden_size], before its output projection. */
function selfAttention(
  config: ModelConfig,
  x: Value,
  { tokens, rotary, mask }: ForwardInputs,
  { project, keep }: { project: (x: Value, module: LinearModule) => Value; keep: Keep },
): Value {
  const { num_attention_heads: heads, num_key_value_heads: key_heads, head_dim } = config;
  const [B = 1, T = 1] = tokens.shape;
  const groups = heads / key_heads;
  const rotated = (value: Value, count: number) => rotate(reshape(value, [B, T, count * head_dim]), rotary, count);
  const byKeyHead = (value: Value) => transpose(reshape(value, [B, T, key_heads, head_dim]), [0, 2, 1, 3]);

  const queries = reshape(rotated(project(x, "q_proj"), heads), [B, T, key_heads, groups, head_dim]);
  const stacked = keep(reshape(transpose(queries, [0, 2, 3, 1, 4]), [B, key_heads, product(groups, T), head_dim]));
  const keys = keep(byKeyHead(rotated(project(x, "k_proj"), key_heads)));
  const values = byKeyHead(project(x, "v_proj"));
  const y = attention(stacked, keys, values, mask, 1 / Math.sqrt(head_dim));
  const apart = reshape(y, [B, key_heads, groups, T, head_dim]);
  return reshape(transpose(apart, [0, 3, 1, 2, 4]), [product(B, T), heads * head_dim]);
}

/** A linear layer with its bias and its adapter, where it has them: y = x W^T + b + scale (x A^T) B^T (Hu et al. 2021). */
function projection(x: Value, name: string, options: BlockOptions): Value {
  const { weights, adapter_scale = 1, keep } = options;
  const y = linear(x, weight(options, `${name}.weight`), weights.get(`${name}.bias`));
  const [down, up] = [weights.get(`${name}.lora_A.weight`), weights.get(`${name}.lora_B.weight`)];
  if (down === undefined || up === undefined) return y;
  return gemm(keep(gemm(x, down, { transpose_b: true })), up, { transpose_b: true, alpha: adapter_scale }, y);
}

function weight({ weights }: Pick<ForwardOptions, "weights">, name: string): Value {
  const value = weights.get(name);
  if (value === undefined) throw new RangeError(`the model's graph has no weight ${name}`);
  return value;
}

/** The matrix [vocab_size, hidden_size] that makes logits of hidden states. */
export function outputHead({ tie_word_embeddings }: ModelConfig, weights: ReadonlyMap<string, Value>): Value {
  return weight({ weights }, tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight");
}
