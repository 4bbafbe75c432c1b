import { sameShape } from "./dimensions.ts";
import type { DifferentiableStep, Graph, RecomputedBlock, TapeEntry, Value } from "./graph.ts";
import { afterwards } from "./ops/order.ts";

type Gradients = Map<Value, Value>;

/**
 * The gradients of a scalar with respect to trainable inputs, by reverse mode over the graph's tape. `into` holds what
 * an input's gradient is added to (the sum over earlier micro-batches). Fails when an input does not reach the loss.
 */
export function gradientsOf(
  loss: Value,
  wanted: readonly Value[],
  into: ReadonlyMap<Value, Value> = new Map(),
): Value[] {
  const { graph } = loss;
  const gradients: Gradients = new Map([...into, [loss, graph.scalar(1)]]);
  const { tape } = graph;
  graph.tape = [];
  goBack(graph, tape, gradients);
  return wanted.map((input) => {
    const gradient = gradients.get(input);
    if (gradient === undefined || gradient === into.get(input)) {
      throw new RangeError(`${input.name} does not reach the loss`);
    }
    return gradient;
  });
}

/**
 * `make(x)`, whose inner values are computed again in the backward pass instead of being kept in memory until then.
 * Whatever trainable inputs `make` uses get their gradients as if it stood here plainly.
 */
export function recomputed(make: (x: Value) => Value, x: Value): Value {
  const { graph } = x;
  const { made: output } = graph.recorded(() => make(x));
  if (output.needs_gradient) graph.tape.push({ output, block_input: x, make });
  return output;
}

/** Walks a tape from its end. What the derivatives themselves do is not recorded: nothing here is differentiated twice. */
function goBack(graph: Graph, tape: readonly TapeEntry[], gradients: Gradients): void {
  for (const entry of tape.toReversed()) {
    const gradient = gradients.get(entry.output);
    if (gradient === undefined) continue;
    gradients.delete(entry.output);
    if ("make" in entry) replay(graph, entry, gradient, gradients);
    else graph.recorded(() => stepBack(entry, gradient, gradients));
  }
}

function stepBack({ inputs, backward }: DifferentiableStep, gradient: Value, gradients: Gradients): void {
  backward(gradient).forEach((term, index) => {
    const input = inputs[index];
    if (!input?.needs_gradient) return;
    const sum = term(gradients.get(input));
    if (!sameShape(sum.shape, input.shape)) {
      throw new RangeError(`the gradient of ${input.name} is [${sum.shape}] instead of [${input.shape}]`);
    }
    gradients.set(input, sum);
  });
}

function replay(graph: Graph, { block_input, make }: RecomputedBlock, gradient: Value, gradients: Gradients): void {
  // Else onnxruntime would make the block again at once, next to the first time, and keep it.
  const { made: again } = graph.recorded(() => afterwards(block_input, gradient));
  again.needs_gradient = block_input.needs_gradient;
  const { made: output, tape } = graph.recorded(() => make(again));
  const sum = gradients.get(block_input);
  if (sum !== undefined) gradients.set(again, sum);
  gradients.set(output, gradient);
  goBack(graph, tape, gradients);
  const whole = gradients.get(again);
  if (whole !== undefined && block_input.needs_gradient) gradients.set(block_input, whole);
  gradients.delete(again);
}
