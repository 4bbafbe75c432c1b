import { sameShape } from "./dimensions.ts";
import type { DifferentiableStep, Graph, RecomputedBlock, TapeEntry, Value } from "./graph.ts";
import { term } from "./ops/basic.ts";
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
 * `make(x)`, whose inner values are computed again in the backward pass instead of being kept in memory until then, but
 * for those that it passes through `keep`. Whatever trainable inputs `make` uses get their gradients as if it stood here
 * plainly.
 */
export function recomputed(make: RecomputedBlock["make"], x: Value): Value {
  const { graph } = x;
  const kept: Value[] = [];
  const keep = (value: Value) => {
    kept.push(value);
    return value;
  };
  const { made: output } = graph.recorded(() => make(x, keep));
  if (output.needs_gradient) graph.tape.push({ output, block_input: x, make, kept });
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

function replay(graph: Graph, entry: RecomputedBlock, gradient: Value, gradients: Gradients): void {
  const { block_input, make, kept } = entry;
  // Else onnxruntime would make the block again at once, next to the first time, and keep it.
  const { made: again } = graph.recorded(() => afterwards(block_input, gradient));
  again.needs_gradient = block_input.needs_gradient;
  const left = kept.values();
  const { made: output, tape } = graph.recorded(() =>
    make(again, (value) => instead(value, left.next().value, gradient)),
  );
  const sum = gradients.get(block_input);
  if (sum !== undefined) gradients.set(again, sum);
  gradients.set(output, gradient);
  goBack(graph, tape, gradients);
  const whole = gradients.get(again);
  if (whole !== undefined && block_input.needs_gradient) gradients.set(block_input, whole);
  gradients.delete(again);
}

/** What was kept of the first time in place of a value made again, whose own making nothing needs then. */
function instead(value: Value, kept: Value | undefined, gradient: Value): Value {
  const { graph } = value;
  if (kept === undefined) throw new RangeError(`${value.name} was not kept when its block was made first`);
  const { made: same } = graph.recorded(() => afterwards(kept, gradient));
  return graph.differentiable(same, [value], (through) => [term(() => through)]);
}
