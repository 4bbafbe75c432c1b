import { dimensionAt, product } from "../graph/dimensions.ts";
import { recomputed } from "../graph/gradient.ts";
import type { Value } from "../graph/graph.ts";
import { concat, exp, mul, neg, reshape, sub, term, zeros } from "../graph/ops/basic.ts";
import { addAt, addElements, countTo, gatherRows, pickElements } from "../graph/ops/indexing.ts";
import { gemm } from "../graph/ops/matmul.ts";
import { afterwards } from "../graph/ops/order.ts";
import { logSoftmax } from "../graph/ops/softmax.ts";
import type { ModelConfig } from "./model-config.ts";

/** Numbers of logits that are in memory at a time, at most: 64 MB. */
const LOGITS = 1 << 24;

/** In how many parts the logits of so many tokens are made. */
export function logitParts({ vocab_size }: ModelConfig, tokens: number): number {
  return Math.ceil((tokens * vocab_size) / LOGITS);
}

/** Whether a part of logits has fewer rows than the hidden states have columns. */
export function hasFewRows({ vocab_size, hidden_size }: ModelConfig): boolean {
  return LOGITS / vocab_size < hidden_size;
}

/** Where the log-probabilities are wanted: in `chunks` equal parts, so that logits of one part at a time are in memory. */
export interface Wanted {
  /** Rows of the hidden states, int64 [chunks, M]; one that more than one token may follow is named more than once. */
  select: Value;
  /** The token after each of them, int64 [chunks, M]. */
  targets: Value;
}

/**
 * The log-probability of each wanted token, [chunks * M]: hidden states [rows, d], output head [vocabulary, d].
 * Only wanted rows meet the head: prompts do not.
 */
export function tokenLogProbabilities(
  hidden: Value,
  head: Value,
  { select, targets }: Wanted,
  { few_rows = false }: LogitsOptions = {},
): Value {
  const { graph } = hidden;
  const chunks = Number(dimensionAt(select.shape, 0));
  const size = dimensionAt(select.shape, 1);
  const part = (of: Value, index: number) =>
    graph.emit(
      "Gather",
      [of, graph.integers([index], [])],
      { type: "int64", shape: [size] },
      { attributes: { axis: 0 } },
    );
  if (chunks === 1 && head.needs_gradient) {
    return crossEntropy(hidden, head, { rows: part(select, 0), targets: part(targets, 0), few_rows });
  }
  const parts: Value[] = [];
  let before: Value | undefined;
  for (let index = 0; index < chunks; index += 1) {
    const rows = gatherRows(hidden, part(select, index));
    const ordered = before === undefined ? rows : afterwards(rows, before);
    const wanted = part(targets, index);
    const make = head.needs_gradient ? madeAgain : withFrozenHead;
    const { y, last } = make(ordered, head, wanted, few_rows);
    before = last;
    parts.push(reshape(y, [1, size]));
  }
  return reshape(concat(parts, 0), [product(chunks, size)]);
}

export interface LogitsOptions {
  /** See `hasFewRows`. */
  few_rows?: boolean;
}

/** A part's log-probabilities, and what is made last of what its logits are needed for: the next part waits for it. */
interface Part {
  y: Value;
  last: Value;
}

/** With a head that is trained. The logits of several chunks are made again in the backward pass. */
function madeAgain(rows: Value, head: Value, targets: Value, few_rows: boolean): Part {
  const own = countTo(rows.graph, dimensionAt(rows.shape, 0));
  const make = (hidden: Value) => crossEntropy(hidden, head, { rows: own, targets, few_rows });
  const y = recomputed(make, rows);
  return { y, last: y };
}

/** Which hidden state a wanted token follows, and which token that is: int64 [M] each. */
interface Place extends LogitsOptions {
  rows: Value;
  targets: Value;
}

/**
 * With l = log softmax(h W^T): dL/dlogits is, for each token wanted of a row, g (onehot(token) - e^l), g the gradient of that
 * token's l.
 */
function crossEntropy(hidden: Value, head: Value, { rows, targets, few_rows = false }: Place): Value {
  const { graph } = hidden;
  const logits = gemm(hidden, head, { transpose_b: true, few_rows });
  const { made } = graph.recorded(() => {
    const log_probabilities = logSoftmax(logits);
    return { log_probabilities, y: pickElements(log_probabilities, rows, targets) };
  });
  const { log_probabilities, y } = made;
  return graph.differentiable(y, [logits], (gradient) => [
    term(() => {
      const size = dimensionAt(hidden.shape, 0);
      const of_row = addAt(zeros(graph, [size]), rows, gradient);
      const away = mul(exp(log_probabilities), neg(reshape(of_row, [size, 1])));
      return addElements(away, rows, targets, gradient);
    }),
  ]);
}

/**
 * With a head that is not trained: dL/dh = g (W[target] - E), where E = softmax(h W^T) W is made in the forward pass
 * already. Nothing of the vocabulary's size is kept until the backward pass, for the same number of operations.
 */
function withFrozenHead(rows: Value, head: Value, targets: Value, few_rows: boolean): Part {
  const { graph } = rows;
  const { made } = graph.recorded(() => {
    const log_probabilities = logSoftmax(gemm(rows, head, { transpose_b: true }));
    const own = countTo(graph, dimensionAt(rows.shape, 0));
    return {
      y: pickElements(log_probabilities, own, targets),
      expected: gemm(exp(log_probabilities), head, { few_rows }),
    };
  });
  const { y, expected } = made;
  graph.differentiable(y, [rows], (gradient) => [
    term(() => mul(sub(gatherRows(head, targets), expected), reshape(gradient, [...gradient.shape, 1]))),
  ]);
  return { y, last: y.needs_gradient ? expected : y };
}
