import { product } from "../graph/dimensions.ts";
import { recomputed } from "../graph/gradient.ts";
import type { Keep, Value } from "../graph/graph.ts";
import { attention } from "../graph/ops/attention.ts";
import { add, reshape, transpose } from "../graph/ops/basic.ts";
import { gatherRows, takeRows } from "../graph/ops/indexing.ts";
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
  /** What is looked at afterwards. */
  wanted: WantedTokens;
}

/** Tokens whose hidden states are wanted: the last block computes no others. */
export interface WantedTokens {
  /** int64 [B, R]: of each row of tokens the wanted ones, none twice, by their place in [B*T]; the rest is filled up. */
  tokens: Value;
  /** int64 [B*T]: where each token is in [B*R]; one that is not wanted is where no gradient comes from. */
  places: Value;
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

/** The hidden states of the wanted tokens after the last norm, [B*R, hidden_size], of a Llama-family model. */
export function hiddenStates(config: ModelConfig, inputs: ForwardInputs, options: ForwardOptions): Value {
  const { tokens } = inputs;
  const count = product(...tokens.shape);
  const embedded = gatherRows(weight(options, "model.embed_tokens.weight"), tokens);
  let x = reshape(embedded, [count, config.hidden_size]);
  for (let layer = 0; layer < config.num_hidden_layers; layer += 1) {
    const going_on = layer === config.num_hidden_layers - 1 ? wantedTokens(inputs) : allTokens(inputs);
    const block = (value: Value, keep: Keep) =>
      decoderBlock(config, layer, value, inputs, { ...options, going_on, keep });
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
  going_on: GoingOn;
}

/** The tokens that a block gives states of; it takes those of all tokens, for these look at them. */
interface GoingOn {
  /** States [B*T, d] of all tokens -> those of these tokens [B*S, d]. */
  take: (x: Value) => Value;
  /** Where each of them stands, int64 [B, S]. */
  positions: Value;
  /** [B, 1, 1, S, T]: what each may look at. */
  mask: Value;
}

function allTokens({ rotary: { positions }, mask }: ForwardInputs): GoingOn {
  return { take: (x) => x, positions, mask };
}

function wantedTokens({ rotary: { positions }, mask, wanted: { tokens, places } }: ForwardInputs): GoingOn {
  const { graph } = tokens;
  const [B = 1, T = 1] = positions.shape;
  const [, R = 1] = tokens.shape;
  const rows = reshape(tokens, [product(B, R)]);
  return {
    take: (x) => takeRows(x, rows, places),
    positions: graph.once("wanted positions", () =>
      reshape(takeRows(reshape(positions, [product(B, T)]), rows, places), [B, R]),
    ),
    mask: graph.once("wanted mask", () =>
      reshape(takeRows(reshape(mask, [product(B, T), T]), rows, places), [B, 1, 1, R, T]),
    ),
  };
}

function decoderBlock(
  config: ModelConfig,
  layer: number,
  x: Value,
  inputs: ForwardInputs,
  options: BlockOptions,
): Value {
  const { going_on, keep, recompute = "nothing" } = options;
  const norm = (value: Value, name: string) =>
    rmsNorm(value, weight(options, `model.layers.${layer}.${name}.weight`), config.rms_norm_eps);
  const project = (value: Value, module: LinearModule) => projection(value, linearName(layer, module), options);

  const attended = selfAttention(config, norm(x, "input_layernorm"), inputs, { project, going_on, keep });
  const middle = keep(add(going_on.take(x), project(attended, "o_proj")));
  const normed = norm(middle, "post_attention_layernorm");
  const [gate, up] = [keep(project(normed, "gate_proj")), keep(project(normed, "up_proj"))];
  return add(middle, project(swiglu(gate, up, { early: recompute === "nothing" }), "down_proj"));
}

interface AttentionOptions {
  project: (x: Value, module: LinearModule) => Value;
  going_on: GoingOn;
  keep: Keep;
}

/** Attention over the normed states [B*T, hidden_size], before its output projection: [B*S, heads * head_dim]. */
function selfAttention(
  config: ModelConfig,
  x: Value,
  { rotary }: ForwardInputs,
  { project, going_on: { take, positions, mask }, keep }: AttentionOptions,
): Value {
  const { num_attention_heads: heads, num_key_value_heads: key_heads, head_dim } = config;
  const [B = 1, T = 1] = rotary.positions.shape;
  const [, S = 1] = positions.shape;
  const groups = heads / key_heads;
  const byKeyHead = (value: Value) => transpose(reshape(value, [B, T, key_heads, head_dim]), [0, 2, 1, 3]);

  const turned = rotate(reshape(project(take(x), "q_proj"), [B, S, heads * head_dim]), { ...rotary, positions }, heads);
  const queries = transpose(reshape(turned, [B, S, key_heads, groups, head_dim]), [0, 2, 3, 1, 4]);
  const stacked = keep(reshape(queries, [B, key_heads, product(groups, S), head_dim]));
  const keys = rotate(reshape(project(x, "k_proj"), [B, T, key_heads * head_dim]), rotary, key_heads);
  const seen = keep(byKeyHead(keys));
  const values = byKeyHead(project(x, "v_proj"));
  const y = attention(stacked, seen, values, mask, 1 / Math.sqrt(head_dim));
  const apart = reshape(y, [B, key_heads, groups, S, head_dim]);
  return reshape(transpose(apart, [0, 3, 1, 2, 4]), [product(B, S), heads * head_dim]);
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
