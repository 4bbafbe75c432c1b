import { type Dimension, dimensionAt, product, type Shape } from "../graph/dimensions.ts";
import { type Attribute, type ElementType, Graph, Value } from "../graph/graph.ts";
import { reshape } from "../graph/ops/basic.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { loraBranch } from "./lora-branch.ts";
import type { ServedLayer, ServedLinear, ServedModel } from "./serving-weights.ts";
import { wideHead, wideRopeTables } from "./wide-heads.ts";

const MICROSOFT = { domain: "com.microsoft" };
const TOKENS = product("B", "S");

/** Names of a layer's cache tensors: what the graph reads, and what it gives. Both are the same tensor when it runs. */
export function cacheNames(layer: number): { past: [string, string]; present: [string, string] } {
  return {
    past: [`past_keys.${layer}`, `past_values.${layer}`],
    present: [`present_keys.${layer}`, `present_values.${layer}`],
  };
}

/**
 * The graph that reads a prompt and that makes one step, for B rows of S new tokens each:
 * `tokens` int32 [B, S]; `lengths` int32 [B], the tokens of each row with the new ones, less one; `total` int32 [1], the
 * longest row with its new tokens; `select` int32 [R], the rows of [B * S] whose logits are wanted; and for each layer the
 * keys and values so far [B, key heads, length, head width], in which the new ones are written. `logits` are [R, vocabulary].
 *
 * With more than one token in a row that has some already, B must be 1. Fewer and larger operators than in training, since
 * what a small model's step takes is their number: q, k and v are one product, attention with its rotation is one
 * operator, the residual's sum is made with the norm. Weights are constants, so that they are packed once.
 *
 * With `adapters` every linear layer of a block has a branch for them (see `loraBranch`), and rows are [B * S, hidden_size]
 * all through, as its last operator wants them.
 */
export function decodeGraph(
  config: ModelConfig,
  model: ServedModel,
  { length, adapters }: { length: number; adapters: boolean },
): Graph {
  const graph = new Graph();
  const { vocab_size, hidden_size } = config;
  const tokens = graph.input("tokens", ["B", "S"], { type: "int32" });
  const select = graph.input("select", ["R"], { type: "int32" });
  const embedding = stored(graph, "embedding", model.embedding, [vocab_size, hidden_size]);
  const embedded = gather(embedding, adapters ? reshape(tokens, [TOKENS]) : tokens);
  const hidden = layers(config, model, embedded, {
    attend: attention(config, graph, length),
    project: adapters ? withBranch : linear,
  });
  const flat = graph.emit("Reshape", [hidden, graph.integers([-1, hidden_size])], {
    type: "float32",
    shape: [TOKENS, hidden_size],
  });
  const wanted = gather(flat, select);
  graph.output("logits", model.head ? linear(wanted, "head", model.head) : timesTransposed(wanted, embedding));
  return graph;
}

function gather(table: Value, indices: Value): Value {
  const shape = [...indices.shape, dimensionAt(table.shape, -1)];
  return table.graph.emit("Gather", [table, indices], { type: table.type, shape }, { attributes: { axis: 0 } });
}

/** A linear layer of a block; `parts` of the model's own layers are packed in it. */
type Project = (x: Value, name: string, served: ServedLinear, parts?: number) => Value;

interface Operators {
  attend: (qkv: Value, layer: number) => Value;
  project: Project;
}

/** All layers and the last norm, in the shape of `embedded`. */
function layers(config: ModelConfig, model: ServedModel, embedded: Value, { attend, project }: Operators): Value {
  const epsilon = config.rms_norm_eps;
  let x = embedded;
  let addend: Value | undefined;
  const norm = (name: string, weight: Float32Array) => {
    const { sum, normed } = addNorm(x, addend, stored(x.graph, name, weight, [weight.length]), epsilon);
    x = sum;
    return normed;
  };
  model.layers.forEach((layer, index) => {
    const part = (name: string) => `layer ${index} ${name}`;
    const qkv = project(norm(part("input norm"), layer.input_norm), part("qkv"), layer.qkv, 3);
    addend = project(attend(qkv, index), part("o"), layer.o);
    const normed = norm(part("post attention norm"), layer.post_attention_norm);
    addend = feedForward(normed, layer, (x, name, served) => project(x, part(name), served));
  });
  return norm("norm", model.norm);
}

/** The sum of two tensors, and its norm; of one alone when the other is not there yet. */
function addNorm(x: Value, addend: Value | undefined, weight: Value, epsilon: number): { sum: Value; normed: Value } {
  const { graph } = x;
  const attributes: Record<string, Attribute> = { epsilon: { float: epsilon } };
  if (addend === undefined) {
    const normed = graph.emit("SimplifiedLayerNormalization", [x, weight], x, {
      attributes: { ...attributes, axis: -1 },
    });
    return { sum: x, normed };
  }
  // Its second and third output are of use in training only.
  const inputs = [x, addend, weight];
  const [normed, , , sum] = graph.emitMany("SkipSimplifiedLayerNormalization", inputs, [x, x, x, x], {
    ...MICROSOFT,
    attributes,
  });
  if (normed === undefined || sum === undefined) throw new RangeError("the norm has no output");
  return { sum, normed };
}

/** Causal attention over the cache and the new tokens, from q, k and v side by side: [B, S, heads * head width], flat where they are flat. */
function attention(config: ModelConfig, graph: Graph, length: number): Operators["attend"] {
  const { num_attention_heads: heads, num_key_value_heads: key_heads, head_dim } = config;
  const lengths = graph.input("lengths", ["B"], { type: "int32" });
  const total = graph.input("total", [1], { type: "int32" });
  const { cos, sin, shape } = wideRopeTables(config, length);
  const tables = [stored(graph, "cosines", cos, shape), stored(graph, "sines", sin, shape)];
  const width = wideHead(config);
  const attributes = {
    num_heads: heads,
    kv_num_heads: key_heads,
    do_rotary: 1,
    rotary_interleaved: 0,
    scale: { float: 1 / Math.sqrt(head_dim) },
  };
  return (qkv, layer) => {
    const names = cacheNames(layer);
    const past = names.past.map((name) => graph.input(name, ["B", key_heads, length, width]));
    const rows = qkv.shape.length === 2 ? reshape(qkv, ["B", "S", dimensionAt(qkv.shape, 1)]) : qkv;
    const inputs = [rows, undefined, undefined, ...past, lengths, total, ...tables];
    const y = { type: qkv.type, shape: ["B", "S", heads * width] };
    const made = graph.emitMany("GroupQueryAttention", inputs, [y, ...past], { ...MICROSOFT, attributes });
    const [attended, keys, values] = made;
    if (attended === undefined || keys === undefined || values === undefined) throw new RangeError("no attention");
    graph.output(names.present[0], keys);
    graph.output(names.present[1], values);
    return reshape(attended, [...qkv.shape.slice(0, -1), heads * width]);
  };
}

/** down(silu(gate(x)) * up(x)) (Shazeer 2020). QuickGelu(x) is x sigmoid(alpha x): silu when alpha is 1. */
function feedForward(x: Value, { gate, up, down }: ServedLayer, project: Project): Value {
  const { graph } = x;
  const open = project(x, "gate", gate);
  const silu = graph.emit("QuickGelu", [open], open, { ...MICROSOFT, attributes: { alpha: { float: 1 } } });
  const inner = graph.emit("Mul", [silu, project(x, "up", up)], open);
  return project(inner, "down", down);
}

function linear(x: Value, name: string, { rows, columns, weight, bias }: ServedLinear): Value {
  const { graph } = x;
  const shape: Dimension[] = [...x.shape.slice(0, -1), rows];
  const offset = bias && stored(graph, `${name} bias`, bias, [rows]);
  if (weight instanceof Float32Array) {
    const y = timesTransposed(x, stored(graph, name, weight, [rows, columns]));
    return offset ? graph.emit("Add", [y, offset], y) : y;
  }
  const { bits, data, scales } = weight;
  const blocks = scales.length / rows;
  const inputs = [
    x,
    stored(graph, name, data, [rows, blocks, data.length / scales.length]),
    stored(graph, `${name} scales`, scales, [rows, blocks]),
    ...(offset ? [undefined, undefined, offset] : []),
  ];
  // accuracy_level 4: activations are rounded to 8 bits, block by block.
  const attributes = { K: columns, N: rows, bits, block_size: 32, accuracy_level: 4 };
  return graph.emit("MatMulNBits", inputs, { type: x.type, shape }, { ...MICROSOFT, attributes });
}

/** A linear layer of which adapters take part. */
const withBranch: Project = (x, name, served, parts = 1) => loraBranch(x, linear(x, name, served), name, parts);

/** x w^T: x [..., in], w [out, in]. */
function timesTransposed(x: Value, weight: Value): Value {
  const shape = [...x.shape.slice(0, -1), dimensionAt(weight.shape, 0)];
  const options = { ...MICROSOFT, attributes: { transB: 1 } };
  return x.graph.emit("FusedMatMul", [x, weight], { type: x.type, shape }, options);
}

/** A named constant over the caller's array, which is not copied. */
function stored(graph: Graph, name: string, data: Float32Array | Uint8Array, shape: Shape): Value {
  const type: ElementType = data instanceof Float32Array ? "float32" : "uint8";
  const edge = { name, type, shape };
  graph.constants.push({ ...edge, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) });
  return new Value(graph, edge);
}
