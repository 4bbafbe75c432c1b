import { product } from "../graph/dimensions.ts";
import { recomputed } from "../graph/gradient.ts";
import type { Keep, Value } from "../graph/graph.ts";
import { type TreeLayout, treeAttention } from "../graph/ops/attention.ts";
import { reshape } from "../graph/ops/basic.ts";
import { gatherRows, takeRows } from "../graph/ops/indexing.ts";
import { gemm, linear } from "../graph/ops/matmul.ts";
import { rmsNorm } from "../graph/ops/rms-norm.ts";
import { type Rotary, rotate } from "../graph/ops/rotary.ts";
import { swiglu } from "../graph/ops/swiglu.ts";
import type { ModelConfig } from "./model-config.ts";
import { type LinearModule, linearName } from "./parameters.ts";

/** What a forward pass is over: rows of tokens, where each stands, and what it may look at. */
export interface ForwardInputs {
  /** Token ids, int32 [B, T]. */
  tokens: Value;
  rotary: Rotary;
  /** What all tokens look at. */
  attention: TreeLayout;
  /** What is looked at afterwards, and what these tokens look at. */
  wanted: WantedTokens;
  wanted_attention: TreeLayout;
}

/** Tokens whose hidden states are wanted: the last block computes no others. */
export interface WantedTokens {
  /** int32 [X]: which of the tokens [B*T], none twice but for what fills it up. */
  tokens: Value;
  /** int32 [B*T]: where each token is in [X]; one that is not wanted is where no gradient comes from. */
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

/** The hidden states of the wanted tokens after the last norm, [X, hidden_size], of a Llama-family model. */
export function hiddenStates(config: ModelConfig, inputs: ForwardInputs, options: ForwardOptions): Value {
  let x = gatherRows(weight(options, "model.embed_tokens.weight"), flatTokens(inputs));
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

function flatTokens({ tokens }: ForwardInputs): Value {
  return tokens.graph.once("flat tokens", () => reshape(tokens, [product(...tokens.shape)]));
}

interface BlockOptions extends ForwardOptions {
  keep: Keep;
  going_on: GoingOn;
}

/** The tokens that a block gives states of; it takes those of all tokens, for these look at them. */
interface GoingOn {
  /** States [B*T, d] of all tokens -> those of these tokens. */
  take: (x: Value) => Value;
  /** Where each of them stands, int64, in two axes. */
  positions: Value;
  attention: TreeLayout;
}

function allTokens({ rotary: { positions }, attention }: ForwardInputs): GoingOn {
  return { take: (x) => x, positions, attention };
}

function wantedTokens({ rotary, wanted: { tokens, places }, wanted_attention: attention }: ForwardInputs): GoingOn {
  const { positions } = rotary;
  const take = (x: Value) => takeRows(x, tokens, places);
  const [X = 1] = tokens.shape;
  const flat = () => reshape(positions, [product(...positions.shape)]);
  return {
    take,
    positions: tokens.graph.once("wanted positions", () => reshape(take(flat()), [X, 1])),
    attention,
  };
}

/**
 * Up to this many, the first block's queries, keys and values are made of the whole vocabulary and taken from there: before them a
 * token's state is its embedding, wherever it stands.
 */
const SMALL_VOCABULARY = 256;

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
  const project = (value: Value, module: LinearModule, sum?: Value) =>
    projection(value, linearName(layer, module), options, sum);

  const states = attentionStates(layer === 0 && config.vocab_size <= SMALL_VOCABULARY);
  const attended = selfAttention(config, states, inputs, { going_on, keep });
  const middle = keep(project(attended, "o_proj", going_on.take(x)));
  const normed = norm(middle, "post_attention_layernorm");
  const [gate, up] = [keep(project(normed, "gate_proj")), keep(project(normed, "up_proj"))];
  return project(swiglu(gate, up, { early: recompute === "nothing" }), "down_proj", middle);

  function attentionStates(of_table: boolean): AttentionStates {
    const normed = norm(of_table ? weight(options, "model.embed_tokens.weight") : x, "input_layernorm");
    const all = (module: LinearModule) => {
      const y = project(normed, module);
      return of_table ? gatherRows(y, flatTokens(inputs)) : y;
    };
    const queries = of_table ? going_on.take(all("q_proj")) : project(going_on.take(normed), "q_proj");
    return { queries, keys: all("k_proj"), values: all("v_proj") };
  }
}

/** Before they are turned by their positions: queries [X, heads * head_dim], keys and values [B*T, key_heads * head_dim]. */
interface AttentionStates {
  queries: Value;
  keys: Value;
  values: Value;
}

/** What the tokens that are gone on with see of all tokens, before its projection: [X, heads * head_dim]. */
function selfAttention(
  config: ModelConfig,
  states: AttentionStates,
  { rotary }: ForwardInputs,
  { going_on: { positions, attention }, keep }: Pick<BlockOptions, "going_on" | "keep">,
): Value {
  const { num_attention_heads: heads, num_key_value_heads: key_heads, head_dim } = config;
  const turned = (x: Value, at: Value, count: number) => {
    const y = rotate(reshape(x, [...at.shape, count * head_dim]), { ...rotary, positions: at }, count);
    return keep(reshape(y, x.shape));
  };
  const queries = turned(states.queries, positions, heads);
  const keys = turned(states.keys, rotary.positions, key_heads);
  return treeAttention(queries, keys, states.values, attention, 1 / Math.sqrt(head_dim));
}

/**
 * A linear layer with its bias and its adapter, where it has them, and what it is added to: y = sum + x W^T + b + scale (x A^T)
 * B^T (Hu et al. 2021).
 */
function projection(x: Value, name: string, options: BlockOptions, sum?: Value): Value {
  const { weights, adapter_scale = 1, keep } = options;
  const y = linear(x, weight(options, `${name}.weight`), { bias: weights.get(`${name}.bias`), sum });
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
