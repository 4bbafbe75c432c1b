import type { ModelConfig } from "../model/model-config.ts";
import { LINEAR_MODULES, linearShape } from "../model/parameters.ts";

/**
 * onnxruntime's matrix product cuts a result [n, m] into pieces for its threads: by columns where m > n, else by rows; columns
 * are dealt out in blocks of 16, so that pieces differ by a block. A piece of at most 64 columns sums over another number of products at a time (beyond 128), and the last bits are others.
 * So where a result could be cut into such pieces it gets as many rows as columns, filled up with rows that nothing
 * looks at. `ops/matmul.ts` does the same for results whose shape is known, the weights' gradients, by turning them.
 */
const BLOCK = 16;
const NARROW_BLOCKS = 64 / BLOCK;
const DEEP = 128;

/** Up to this many threads the same bits come out. */
export const STEADY_THREADS = 8;

export interface LeastRows {
  /** Tokens of a micro-batch. */
  tokens: number;
  /** Wanted tokens of a chunk. */
  wanted: number;
  /** Wanted tokens of a row of this many tokens: attention's products are of one row and head each. */
  queries: (length: number) => number;
  /** Tokens that as many wanted ones look at: keys' gradients are summed over these. */
  keys: (queries: number) => number;
}

export function leastRows(config: ModelConfig): LeastRows {
  // Fewer blocks than this, and the most threads leave one of them a narrow piece.
  const blocks = (NARROW_BLOCKS + 1) * STEADY_THREADS;
  const needed = ([columns, inner]: readonly [number, number]) =>
    Math.ceil(columns / BLOCK) < blocks && inner > DEEP ? columns : 1;
  const { hidden_size, vocab_size, head_dim } = config;
  const groups = config.num_attention_heads / config.num_key_value_heads;
  const layers = LINEAR_MODULES.map((module) => linearShape(config, module));
  return {
    tokens: Math.max(...layers.flatMap(([out, into]) => [needed([out, into]), needed([into, out])])),
    wanted: Math.max(needed([vocab_size, hidden_size]), needed([hidden_size, vocab_size])),
    // Scores have a column for each token and are summed over a head's width; what is seen has one for each of these.
    queries: (length) => Math.ceil(Math.max(head_dim > DEEP ? length : 1, length > DEEP ? head_dim : 1) / groups),
    keys: (queries) => (queries * groups > DEEP ? head_dim : 1),
  };
}
