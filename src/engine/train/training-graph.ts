import { product, type Shape } from "../graph/dimensions.ts";
import { gradientsOf } from "../graph/gradient.ts";
import { type FloatType, Graph, type Value } from "../graph/graph.ts";
import type { TreeLayout } from "../graph/ops/attention.ts";
import { add, mul, neg, reduceSum } from "../graph/ops/basic.ts";
import { hiddenStates, outputHead, type Recompute } from "../model/forward.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { parameterShapes } from "../model/parameters.ts";
import { ropeTables } from "../model/rope-tables.ts";
import { hasFewRows, tokenLogProbabilities } from "../model/token-log-probabilities.ts";
import { type PreferenceSettings, preferenceLoss } from "./preference-loss.ts";
import { leastRows } from "./steady-sums.ts";

export interface TrainingGraphOptions {
  config: ModelConfig;
  /** Names and shapes of what is trained; every other weight of the model is an input that stays as it is. */
  trainable: ReadonlyMap<string, readonly number[]>;
  /** alpha / rank, where adapters are trained or stand on the model. */
  adapter_scale?: number;
  /** Weights that belong to adapters and are not trained. */
  frozen_adapter?: ReadonlyMap<string, readonly number[]>;
  /** null: no preference term, so the loss is the weighted likelihood alone. */
  preference: PreferenceSettings | null;
  /** In how many parts logits are made. */
  chunks: number;
  recompute: Recompute;
  /** Positions that the tables of rotary angles hold, or more: onnxruntime compares T with them. */
  max_length: number;
  float?: FloatType;
  /** false: runs have one thread each (see `Graph`). */
  steady?: boolean;
}

/**
 * The graph of one micro-batch: loss, token log-probabilities, and for each trainable weight `gradient NAME`, the
 * gradient added to the input `sum NAME`.
 *
 * Inputs beside the weights: tokens int32 and positions int64 [B, T]; what they look at, as `attentionInputs` of
 * `tree-layout.ts` and `wantedInputs` of `wanted-tokens.ts` make it, with wanted int32 [X] and places int32 [B*T]; select and
 * targets int64 [K, M] with N = K M wanted tokens; token_weights [N], the weight of each one's likelihood; and for preference
 * sums [C, N], reference [C, 1], pairs [P, C], pair_weights [P, 1] (see `preference-loss.ts`).
 */
export function gradientGraph(options: TrainingGraphOptions): Graph {
  const { float = "float32", steady = true } = options;
  const graph = new Graph({ float, steady });
  const { weights, token_log_probabilities, wanted } = forward(graph, options);
  const likelihood = reduceSum(mul(token_log_probabilities, graph.input("token_weights", [wanted])));
  const preference =
    options.preference &&
    preferenceLoss({ token_log_probabilities, ...preferenceInputs(graph, wanted) }, options.preference);
  const loss = preference === null ? neg(likelihood) : add(preference, neg(likelihood));

  const trained = [...options.trainable.keys()].map((name) => weightNamed(weights, name));
  const sums = new Map(trained.map((value) => [value, graph.input(`sum ${value.name}`, value.shape)]));
  const gradients = gradientsOf(loss, trained, sums);
  graph.output("loss", loss);
  graph.output("token_log_probabilities", token_log_probabilities);
  for (const [index, gradient] of gradients.entries()) graph.output(`gradient ${trained[index]?.name}`, gradient);
  return graph;
}

/** The graph that only looks: `token_log_probabilities` of the same inputs. For the reference and for validation. */
export function likelihoodGraph(options: Omit<TrainingGraphOptions, "preference" | "recompute">): Graph {
  const graph = new Graph({ float: options.float ?? "float32" });
  const { token_log_probabilities } = forward(graph, { ...options, recompute: "nothing", preference: null });
  graph.output("token_log_probabilities", token_log_probabilities);
  return graph;
}

function forward(graph: Graph, options: TrainingGraphOptions) {
  const { config, trainable, frozen_adapter = new Map(), chunks, max_length } = options;
  const weights = new Map<string, Value>();
  for (const [name, shape] of [...parameterShapes(config), ...frozen_adapter, ...trainable]) {
    if (!weights.has(name)) weights.set(name, graph.input(name, shape, { trainable: trainable.has(name) }));
  }
  const { cos, sin, shape } = ropeTables(config, Math.max(max_length, leastRows(config).tokens));
  const inputs = {
    tokens: graph.input("tokens", ["B", "T"], { type: "int32" }),
    ...attentionLayouts(graph, config),
    rotary: {
      cos: graph.constant(cos, shape),
      sin: graph.constant(sin, shape),
      positions: graph.input("positions", ["B", "T"], { type: "int64" }),
    },
    wanted: {
      tokens: graph.input("wanted", ["X"], { type: "int32" }),
      places: graph.input("places", ["B*T"], { type: "int32" }),
    },
  };
  const { adapter_scale, recompute } = options;
  const hidden = hiddenStates(config, inputs, {
    weights,
    recompute,
    ...(adapter_scale !== undefined && { adapter_scale }),
  });
  const followed = {
    select: graph.input("select", [chunks, "M"], { type: "int64" }),
    targets: graph.input("targets", [chunks, "M"], { type: "int64" }),
  };
  const head = outputHead(config, weights);
  const token_log_probabilities = tokenLogProbabilities(hidden, head, followed, { few_rows: hasFewRows(config) });
  return { weights, token_log_probabilities, wanted: token_log_probabilities.shape[0] ?? "M" };
}

/** What is looked at by all tokens, and by those that the last block goes on with. */
function attentionLayouts(graph: Graph, { num_attention_heads: heads, num_key_value_heads: keys }: ModelConfig) {
  const groups = heads / keys;
  const at = (name: string, shape: Shape) => graph.input(name, shape, { type: "int32" });
  const stretches = (name: string, over: Shape, queries: string) => at(name, [...over, keys, product(groups, queries)]);
  const key_seats = at("key_seats", ["B*T", keys]);
  const trunk_keys = at("trunk_keys", ["B", keys, "U"]);
  const branches = {
    keys: at("branch_keys", ["B", "S", keys, "A"]),
    mask: graph.input("branch_mask", ["B", "S", 1, 1, "L", "A"]),
  };
  const layout = (name: "" | "wanted_", { each, all }: { each: string; all: string }): TreeLayout => ({
    trunks: {
      queries: stretches(`${name}trunk_queries`, ["B"], each),
      keys: trunk_keys,
      mask: graph.input(`${name}trunk_mask`, ["B", 1, 1, each, "U"]),
    },
    branches: { queries: stretches(`${name}branch_queries`, ["B", "S"], "L"), ...branches },
    seats: at(`${name}seats`, [all, heads]),
    key_seats,
  });
  const attention = layout("", { each: "U", all: "B*T" });
  const wanted_attention = layout("wanted_", { each: "W", all: "X" });
  return { attention, wanted_attention };
}

function preferenceInputs(graph: Graph, wanted: string | number) {
  return {
    sums: graph.input("sums", ["C", wanted]),
    reference: graph.input("reference", ["C", 1]),
    pairs: graph.input("pairs", ["P", "C"]),
    pair_weights: graph.input("pair_weights", ["P", 1]),
  };
}

function weightNamed(weights: ReadonlyMap<string, Value>, name: string): Value {
  const value = weights.get(name);
  if (value === undefined) throw new RangeError(`there is no weight ${name} to train`);
  return value;
}
