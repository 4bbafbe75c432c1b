import { type Dimension, dimensionAt, product } from "../dimensions.ts";
import type { Value } from "../graph.ts";
import { reshape, shapeTensor, term, zeros } from "./basic.ts";
import { gemm } from "./matmul.ts";

/** Up to this many rows a scatter is a product with one-hot rows: faster there, and it uses all threads. */
const ONE_HOT_ROWS = 512;

/**
 * Rows of a table [V, d] by indices (integers, any shape): [...indices, d]. The derivative adds each row's gradient to
 * where it came from. Not by ScatterND, whose additions race in onnxruntime when it has more than one thread.
 */
export function gatherRows(table: Value, indices: Value): Value {
  const { graph } = table;
  const width = dimensionAt(table.shape, 1);
  const shape = [...indices.shape, width];
  const y = graph.emit("Gather", [table, indices], { type: table.type, shape }, { attributes: { axis: 0 } });
  return graph.differentiable(y, [table], (gradient) => {
    const count = product(...indices.shape);
    const flat = reshape(indices, [count]);
    const rows = reshape(gradient, [count, width]);
    return [(sum) => addRows(sum, table, flat, rows)];
  });
}

/**
 * Rows of x [n, d] by indices that name none twice: [m, d]. `back` says for each of the n rows where it went, and for one
 * that was not taken a row of the result whose gradient is zero: the derivative is another gather.
 */
export function takeRows(x: Value, indices: Value, back: Value): Value {
  const { graph } = x;
  const take = (from: Value, by: Value) =>
    graph.emit("Gather", [from, by], { type: x.type, shape: [...by.shape, ...x.shape.slice(1)] }, AXIS_0);
  return graph.differentiable(take(x, indices), [x], (gradient) => [term(() => take(gradient, back))]);
}

const AXIS_0 = { attributes: { axis: 0 } };

/** sum (zeros when there is none) with rows [n, d] added at indices [n]. */
function addRows(sum: Value | undefined, table: Value, indices: Value, rows: Value): Value {
  const [size, width] = [dimensionAt(table.shape, 0), dimensionAt(table.shape, 1)];
  if (typeof size === "number" && size <= ONE_HOT_ROWS) {
    return gemm(oneHot(indices, size), rows, { transpose_a: true }, sum);
  }
  const { graph } = table;
  const count = dimensionAt(indices.shape, 0);
  const wide = graph.emit("Expand", [reshape(indices, [count, 1]), shapeTensor(graph, [count, width])], {
    type: indices.type,
    shape: [count, width],
  });
  const attributes = { axis: 0, reduction: "add" };
  return graph.emit("ScatterElements", [sum ?? zeros(graph, table.shape), wide, rows], table, { attributes });
}

/** [n, size] with a 1 in each row at its index: rows of the identity (OneHot has no float64 kernel). */
function oneHot(indices: Value, size: number): Value {
  const { graph } = indices;
  const identity = graph.once(`identity ${size}`, () => {
    const data = new Float32Array(size * size);
    for (let at = 0; at < size; at += 1) data[at * size + at] = 1;
    return graph.constant(data, [size, size]);
  });
  return graph.once(`one-hot ${indices.name} of ${size}`, () => gatherRows(identity, indices));
}

/** The elements of x [n, m] at rows and columns, int64 [k] each: [k]. */
export function pickElements(x: Value, rows: Value, columns: Value): Value {
  const { graph } = x;
  const at = places(x, rows, columns);
  const flat = reshape(x, [product(...x.shape)]);
  const y = graph.emit("Gather", [flat, at], { type: x.type, shape: at.shape }, AXIS_0);
  return graph.differentiable(y, [x], (gradient) => [
    (sum) => addElements(sum ?? zeros(graph, x.shape), rows, columns, gradient),
  ]);
}

/** x [n, m] with values [k] added at rows and columns, int64 [k] each; the same place may be named more than once. */
export function addElements(x: Value, rows: Value, columns: Value, values: Value): Value {
  const flat = reshape(x, [product(...x.shape)]);
  return reshape(addAt(flat, places(x, rows, columns), values), x.shape);
}

/** x [n] with values [k] added at indices, int64 [k], in their order. */
export function addAt(x: Value, indices: Value, values: Value): Value {
  const attributes = { axis: 0, reduction: "add" };
  return x.graph.emit("ScatterElements", [x, indices, values], x, { attributes });
}

/** 0, 1, 2 and so on, as many as the dimension says: int64 [n]. */
export function countTo(graph: Value["graph"], size: Dimension): Value {
  const [none, one] = [graph.integers([0], []), graph.integers([1], [])];
  const end = reshape(graph.dimension(size), []);
  return graph.emit("Range", [none, end, one], { type: "int64", shape: [size] });
}

/** Where elements of x [n, m] are among all of them. */
function places(x: Value, rows: Value, columns: Value): Value {
  const { graph } = x;
  const width = graph.dimension(dimensionAt(x.shape, 1));
  return graph.emit("Add", [graph.emit("Mul", [rows, width], rows), columns], rows);
}
