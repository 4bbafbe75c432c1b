import { dimensionAt, product } from "../graph/dimensions.ts";
import { recomputed } from "../graph/gradient.ts";
import type { Value } from "../graph/graph.ts";
import { concat, exp, mul, neg, reshape, sub, term } from "../graph/ops/basic.ts";
import { gatherRows, pickPerRow } from "../graph/ops/indexing.ts";
import { gemm } from "../graph/ops/matmul.ts";
import { afterwards } from "../graph/ops/order.ts";
import { logSoftmax } from "../graph/ops/softmax.ts";

/** Where the log-probabilities are wanted: in `chunks` equal parts, so that logits of one part at a time are in memory. */
export interface Wanted {
  /** Rows of the hidden states, int64 [chunks, M]. */
  select: Value;
  /** The token after each of them, int64 [chunks, M]. */
  targets: Value;
}

/**
 * The log-probability of each wanted token, [chunks * M]: hidden states [rows, d], output head [vocabulary, d].
 * Only wanted rows meet the head: prompts do not.
 */
export function tokenLogProbabilities(hidden: Value, head: Value, { select, targets }: Wanted): Value {
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
  const parts: Value[] = [];
  let before: Value | undefined;
  for (let index = 0; index < chunks; index += 1) {
    const rows = gatherRows(hidden, part(select, index));
    const ordered = before === undefined ? rows : afterwards(rows, before);
    const wanted = part(targets, index);
    const { y, last } = head.needs_gradient
      ? keptOrMadeAgain(ordered, head, wanted, chunks > 1)
      : withFrozenHead(ordered, head, wanted);
    before = last;
    parts.push(reshape(y, [1, size]));
  }
  return reshape(concat(parts, 0), [product(chunks, size)]);
}

/** A part's log-probabilities, and what is made last of what its logits are needed for: the next part waits for it. */
interface Part {
  y: Value;
  last: Value;
}

/** With a head that is trained. One chunk's logits are kept for the backward pass, those of several are made again. */
function keptOrMadeAgain(rows: Value, head: Value, targets: Value, again: boolean): Part {
  const make = (hidden: Value) => crossEntropy(hidden, head, targets);
  const y = again ? recomputed(make, rows) : make(rows);
  return { y, last: y };
}

/** With l = log softmax(h W^T): dL/dlogits = g (onehot(target) - e^l), g the gradient of the target's l. */
function crossEntropy(rows: Value, head: Value, targets: Value): Value {
  const { graph } = rows;
  const logits = gemm(rows, head, { transpose_b: true });
  const { made } = graph.recorded(() => {
    const log_probabilities = logSoftmax(logits);
    return { log_probabilities, y: pickPerRow(log_probabilities, targets) };
  });
  const { log_probabilities, y } = made;
  return graph.differentiable(y, [logits], (gradient) => [
    term(() => {
      const column = reshape(gradient, [...gradient.shape, 1]);
      const away = mul(exp(log_probabilities), neg(column));
      const at = reshape(targets, [...targets.shape, 1]);
      const attributes = { axis: 1, reduction: "add" };
      return graph.emit("ScatterElements", [away, at, column], logits, { attributes });
    }),
  ]);
}

/**
 * With a head that is not trained: dL/dh = g (W[target] - E), where E = softmax(h W^T) W is made in the forward pass
 * already. Nothing of the vocabulary's size is kept until the backward pass, for the same number of operations.
 */
function withFrozenHead(rows: Value, head: Value, targets: Value): Part {
  const { graph } = rows;
  const { made } = graph.recorded(() => {
    const log_probabilities = logSoftmax(gemm(rows, head, { transpose_b: true }));
    return { y: pickPerRow(log_probabilities, targets), expected: gemm(exp(log_probabilities), head) };
  });
  const { y, expected } = made;
  graph.differentiable(y, [rows], (gradient) => [
    term(() => mul(sub(gatherRows(head, targets), expected), reshape(gradient, [...gradient.shape, 1]))),
  ]);
  return { y, last: y.needs_gradient ? expected : y };
}
