import { couldBeNarrow, DEEP } from "../graph/thread-pieces.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { LINEAR_MODULES, linearShape } from "../model/parameters.ts";
import { hasFewRows } from "../model/token-log-probabilities.ts";

/**
 * How many rows results have at least, so that their bits do not depend on the number of threads: where one could be cut into
 * narrow pieces (see `graph/thread-pieces.ts`) it gets as many rows as columns, filled up with rows that nothing looks at. Results whose
 * shape is known when the graph is built, the weights' gradients, and those of few rows that meet the output head are computed
 * as their transposes instead.
 */
export interface LeastRows {
  /** Tokens of a micro-batch. */
  tokens: number;
  /** Wanted tokens that meet the output head together. */
  wanted: number;
  /** Wanted tokens of a row of this many tokens: attention's products are of one row and head each. */
  queries: (length: number) => number;
  /** Tokens that as many wanted ones look at: keys' gradients are summed over these. */
  keys: (queries: number) => number;
}

/** For runs that have one thread each. */
export const ANY_ROWS: LeastRows = { tokens: 1, wanted: 1, queries: () => 1, keys: () => 1 };

export function leastRows(config: ModelConfig): LeastRows {
  const needed = ([columns, inner]: readonly [number, number]) => (couldBeNarrow(columns, inner) ? columns : 1);
  const { hidden_size, vocab_size, head_dim } = config;
  const groups = config.num_attention_heads / config.num_key_value_heads;
  const layers = LINEAR_MODULES.map((module) => linearShape(config, module));
  const logits = needed([vocab_size, hidden_size]);
  const back = needed([hidden_size, vocab_size]);
  return {
    tokens: Math.max(...layers.flatMap(([out, into]) => [needed([out, into]), needed([into, out])])),
    // Of few rows the way back is a transpose, which has two columns at least.
    wanted: Math.max(logits, hasFewRows(config) ? Math.min(back, 2) : back),
    // Scores have a column for each token and are summed over a head's width; what is seen has one for each of these.
    queries: (length) => Math.ceil(Math.max(head_dim > DEEP ? length : 1, length > DEEP ? head_dim : 1) / groups),
    keys: (queries) => (queries * groups > DEEP ? head_dim : 1),
  };
}
