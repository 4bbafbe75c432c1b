import { dimensionAt, product } from "../dimensions.ts";
import type { Value } from "../graph.ts";
import { reshape, shapeTensor, term, zeros } from "./basic.ts";
import { gemm } from "./matmul.ts";

/** Up to this many rows a scatter is a product with one-hot rows: faster there, and it uses all threads. */
const ONE_HOT_ROWS = 512;

/**
 * Rows of a table [V, d] by indices (int64, any shape): [...indices, d]. The derivative adds each row's gradient to
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

/** sum (zeros when there is none) with rows [n, d] added at indices [n]. */
function addRows(sum: Value | undefined, table: Value, indices: Value, rows: Value): Value {
  const [size, width] = [dimensionAt(table.shape, 0), dimensionAt(table.shape, 1)];
  if (typeof size === "number" && size <= ONE_HOT_ROWS) {
    return gemm(oneHot(indices, size), rows, { transpose_a: true }, sum);
  }
  const { graph } = table;
  const count = dimensionAt(indices.shape, 0);
  const wide = graph.emit("Expand", [reshape(indices, [count, 1]), shapeTensor(graph, [count, width])], {
    type: "int64",
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
  return gatherRows(identity, indices);
}

/** The element of each row that its index names: x [n, m], indices int64 [n] -> [n]. */
export function pickPerRow(x: Value, indices: Value): Value {
  const { graph } = x;
  const count = dimensionAt(indices.shape, 0);
  const column = reshape(indices, [count, 1]);
  const attributes = { axis: 1 };
  const picked = graph.emit("GatherElements", [x, column], { type: x.type, shape: [count, 1] }, { attributes });
  const y = reshape(picked, [count]);
  return graph.differentiable(y, [x], (gradient) => [
    term(() => {
      const inputs = [zeros(graph, x.shape), column, reshape(gradient, [count, 1])];
      return graph.emit("ScatterElements", inputs, x, { attributes });
    }),
  ]);
}
