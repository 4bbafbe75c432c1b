import {
  broadcast,
  type Dimension,
  dimensionAt,
  normaliseAxes,
  product,
  type Shape,
  sameShape,
} from "../dimensions.ts";
import type { Attribute, ElementType, GradientTerm, Value } from "../graph.ts";

/**
 * The operators that the others and all derivatives are made of: arithmetic with broadcasting, reshaping and sums.
 * They stand in one file because their derivatives need each other: that of a broadcast is a sum, that of a sum a broadcast.
 */

/** A gradient's share that has to be added up by an operator of its own. */
export function term(make: () => Value): GradientTerm {
  return (sum) => (sum === undefined ? make() : add(sum, make()));
}

function lift(like: Value, operand: Value | number): Value {
  return typeof operand === "number" ? like.graph.scalar(operand) : operand;
}

/** An operator of one input that gives each element something; `derivative` gives dL/dx from dL/dy, x and y. */
export function elementwise(
  op: string,
  x: Value,
  derivative: (gradient: Value, x: Value, y: Value) => Value,
  attributes: Record<string, Attribute> = {},
): Value {
  const y = x.graph.emit(op, [x], { type: x.type, shape: x.shape }, { attributes });
  return x.graph.differentiable(y, [x], (gradient) => [term(() => derivative(gradient, x, y))]);
}

function binary(
  op: string,
  a: Value,
  b: Value,
  derivatives: (gradient: Value, y: Value) => readonly [() => Value, () => Value],
): Value {
  const y = a.graph.emit(op, [a, b], { type: a.type, shape: broadcast(a.shape, b.shape) });
  return a.graph.differentiable(y, [a, b], (gradient) => {
    const [left, right] = derivatives(gradient, y);
    return [term(() => sumTo(left(), a.shape)), term(() => sumTo(right(), b.shape))];
  });
}

export function add(a: Value, other: Value | number): Value {
  const b = lift(a, other);
  return binary("Add", a, b, (gradient) => [() => gradient, () => gradient]);
}

export function sub(left: Value, other: Value | number): Value {
  const b = lift(left, other);
  return binary("Sub", left, b, (gradient) => [() => gradient, () => neg(gradient)]);
}

export function mul(a: Value, other: Value | number): Value {
  const b = lift(a, other);
  return binary("Mul", a, b, (gradient) => [() => mul(gradient, b), () => mul(gradient, a)]);
}

export function div(a: Value, other: Value | number): Value {
  const b = lift(a, other);
  return binary("Div", a, b, (gradient, y) => [() => div(gradient, b), () => neg(div(mul(gradient, y), b))]);
}

export function neg(x: Value): Value {
  return elementwise("Neg", x, (gradient) => neg(gradient));
}

export function exp(x: Value): Value {
  return elementwise("Exp", x, (gradient, _x, y) => mul(gradient, y));
}

export function log(x: Value): Value {
  return elementwise("Log", x, (gradient) => div(gradient, x));
}

export function sqrt(x: Value): Value {
  return elementwise("Sqrt", x, (gradient, _x, y) => div(mul(gradient, 0.5), y));
}

export function sigmoid(x: Value): Value {
  return elementwise("Sigmoid", x, (gradient, _x, y) => mul(gradient, sub(y, mul(y, y))));
}

/** max(x, 0); its derivative at 0 is taken as 0. */
export function relu(x: Value): Value {
  return elementwise("Relu", x, (gradient, _x, y) => mul(gradient, sign(y)));
}

function sign(x: Value): Value {
  return x.graph.emit("Sign", [x], { type: x.type, shape: x.shape });
}

/** log(1 + e^x), without overflow. onnxruntime has it in float32 only: max(x, 0) + log(1 + e^-|x|) otherwise. */
export function softplus(x: Value): Value {
  const same = { type: x.type, shape: x.shape };
  const y =
    x.type === "float32"
      ? x.graph.emit("Softplus", [x], same)
      : x.graph.withoutGradient(() => {
          const minus_size = neg(x.graph.emit("Abs", [x], same));
          return add(relu(x), log(add(exp(minus_size), 1)));
        });
  return x.graph.differentiable(y, [x], (gradient) => [term(() => mul(gradient, sigmoid(x)))]);
}

/** The same numbers in another shape of the same size. */
export function reshape(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  if (product(...x.shape) !== product(...shape)) throw new RangeError(`[${x.shape}] has no room as [${shape}]`);
  const y = x.graph.emit("Reshape", [x, reshapeTarget(x, shape)], { type: x.type, shape });
  return x.graph.differentiable(y, [x], (gradient) => [term(() => reshape(gradient, x.shape))]);
}

/** One size that is not known yet can be left to onnxruntime (-1); more are read from the inputs that have them. */
function reshapeTarget({ graph }: Value, shape: Shape): Value {
  const named = shape.filter((dimension) => typeof dimension === "string");
  if (named.length > 1) return shapeTensor(graph, shape);
  return graph.integers(shape.map((dimension) => (typeof dimension === "number" ? dimension : -1)));
}

/** A shape as an int64 tensor. */
export function shapeTensor(graph: Value["graph"], shape: Shape): Value {
  if (shape.every((dimension) => typeof dimension === "number")) return graph.integers(shape);
  return graph.once(`shape ${shape}`, () => {
    const parts = shape.map((dimension) => graph.dimension(dimension));
    return graph.emit("Concat", parts, { type: "int64", shape: [shape.length] }, { attributes: { axis: 0 } });
  });
}

/** x stretched to a shape that it broadcasts to. */
export function expand(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  if (!sameShape(broadcast(x.shape, shape), shape)) throw new RangeError(`[${x.shape}] does not stretch to [${shape}]`);
  const y = x.graph.emit("Expand", [x, shapeTensor(x.graph, shape)], { type: x.type, shape });
  return x.graph.differentiable(y, [x], (gradient) => [term(() => sumTo(gradient, x.shape))]);
}

/** Sums over axes (all of them unless told). `keep` leaves them in the shape with size 1. */
export function reduceSum(x: Value, axes?: readonly number[], { keep = false } = {}): Value {
  const over = normaliseAxes(axes ?? x.shape.map((_, axis) => axis), x.shape.length);
  const kept = x.shape.map((dimension, axis): Dimension => (over.includes(axis) ? 1 : dimension));
  const shape = keep ? kept : x.shape.filter((_, axis) => !over.includes(axis));
  const inputs = [x, x.graph.integers(over)];
  const y = x.graph.emit("ReduceSum", inputs, { type: x.type, shape }, { attributes: { keepdims: keep ? 1 : 0 } });
  return x.graph.differentiable(y, [x], (gradient) => [term(() => expand(reshape(gradient, kept), x.shape))]);
}

/** Undoes a broadcast: sums what was stretched, so that the shape is `shape` again. */
export function sumTo(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const more = x.shape.length - shape.length;
  const axes = x.shape.flatMap((dimension, axis) =>
    axis < more || (shape[axis - more] === 1 && dimension !== 1) ? [axis] : [],
  );
  return reshape(axes.length === 0 ? x : reduceSum(x, axes, { keep: true }), shape);
}

/** Axes in another order: axis i of the result is axis `order[i]` of x. */
export function transpose(x: Value, order: readonly number[]): Value {
  const back = order.map((_, axis) => order.indexOf(axis));
  const shape = order.map((axis) => dimensionAt(x.shape, axis));
  const y = x.graph.emit("Transpose", [x], { type: x.type, shape }, { attributes: { perm: order } });
  return x.graph.differentiable(y, [x], (gradient) => [term(() => transpose(gradient, back))]);
}

/** The elements of one axis from `start` up to `end`, both known when the graph is built. */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  const [along = 0] = normaliseAxes([axis], x.shape.length);
  const size = dimensionAt(x.shape, along);
  if (typeof size === "number" && end > size) throw new RangeError(`slice to ${end} of axis ${axis} of [${x.shape}]`);
  const shape = x.shape.map((dimension, at) => (at === along ? end - start : dimension));
  const bounds = [start, end, along].map((bound) => x.graph.integers([bound]));
  const y = x.graph.emit("Slice", [x, ...bounds], { type: x.type, shape });
  return x.graph.differentiable(y, [x], (gradient) => [term(() => padTo(gradient, x, along, start, end))]);
}

/** The derivative of a slice: zeros where nothing was taken. */
function padTo(gradient: Value, x: Value, axis: number, start: number, end: number): Value {
  const size = dimensionAt(x.shape, axis);
  if (typeof size !== "number") throw new RangeError("a slice of an axis of unknown size has no derivative here");
  const before = x.shape.map((_, at) => (at === axis ? start : 0));
  const after = x.shape.map((_, at) => (at === axis ? size - end : 0));
  const inputs = [gradient, x.graph.integers([...before, ...after]), x.graph.scalar(0)];
  return x.graph.emit("Pad", inputs, { type: x.type, shape: x.shape });
}

/** Tensors one after another along an axis. */
export function concat(parts: readonly Value[], axis: number): Value {
  const [first] = parts;
  if (first === undefined) throw new RangeError("concat of nothing");
  const [along = 0] = normaliseAxes([axis], first.shape.length);
  const sizes = parts.map((part) => dimensionAt(part.shape, along));
  const shape = first.shape.map((dimension, at) => (at === along ? total(sizes) : dimension));
  const y = first.graph.emit("Concat", parts, { type: first.type, shape }, { attributes: { axis: along } });
  return first.graph.differentiable(y, parts, (gradient) => {
    let start = 0;
    return sizes.map((size) => {
      const from = start;
      start += Number(size);
      return term(() => slice(gradient, along, from, from + Number(size)));
    });
  });
}

function total(sizes: readonly Dimension[]): number {
  const sum = sizes.reduce<number>((so_far, size) => so_far + Number(size), 0);
  if (!Number.isFinite(sum)) throw new RangeError(`concat along an axis of unknown size (${sizes})`);
  return sum;
}

/** Zeros of a shape. */
export function zeros(graph: Value["graph"], shape: Shape): Value {
  return expand(graph.scalar(0), shape);
}

/** Another element type; of floats the gradient goes back in the type that came. */
export function cast(x: Value, type: ElementType): Value {
  const codes: Record<ElementType, number> = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float64: 11 };
  const y = x.graph.emit("Cast", [x], { type, shape: x.shape }, { attributes: { to: codes[type] } });
  return x.graph.differentiable(y, [x], (gradient) => [term(() => cast(gradient, x.type))]);
}
