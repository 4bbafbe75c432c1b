import { type Dimension, dimensionAt, type Shape, sameShape } from "../dimensions.ts";
import type { GradientTerm, Value } from "../graph.ts";
import { couldBeNarrow, DEEP } from "../thread-pieces.ts";
import { add, mul, term, transpose } from "./basic.ts";

export interface MatmulOptions {
  /** Use the transpose of the left or right matrix (of its last two axes). */
  transpose_a?: boolean;
  transpose_b?: boolean;
  /** A factor on the product. */
  alpha?: number;
}

export interface GemmOptions extends MatmulOptions {
  /** There are mostly fewer rows than columns, though their number is not known here. Not for a transposed b with few columns. */
  few_rows?: boolean;
}

/**
 * `alpha * op(a) op(b) + sum`, of matrices: one call of the matrix product that most of a training step's time is spent in,
 * so whatever can be added in the same pass is. a [n, k], b [k, m] after their transposes; sum [n, m].
 */
export function gemm(a: Value, b: Value, options: GemmOptions = {}, sum?: Value): Value {
  const shape = productShape(a.shape, b.shape, options);
  if (sum !== undefined && !sameShape(sum.shape, shape)) throw new RangeError(`[${sum.shape}] added to [${shape}]`);
  const y =
    a.graph.steady && isWide(a, shape, options) ? turnedGemm(a, b, options, sum) : emitGemm(a, b, shape, options, sum);
  const inputs = sum === undefined ? [a, b] : [a, b, sum];
  return a.graph.differentiable(y, inputs, (gradient) => [
    leftTerm(gradient, b, options),
    rightTerm(gradient, a, options),
    term(() => gradient),
  ]);
}

function emitGemm(a: Value, b: Value, shape: Shape, options: MatmulOptions, sum?: Value): Value {
  const { transpose_a = false, transpose_b = false, alpha = 1 } = options;
  const attributes = { transA: transpose_a ? 1 : 0, transB: transpose_b ? 1 : 0, alpha: { float: alpha } };
  return a.graph.emit("Gemm", [a, b, sum], { type: a.type, shape }, { attributes });
}

/**
 * Whether a result is computed as its transpose, which is cut by rows, or whose left matrix is a transpose: where it could be cut
 * into narrow pieces. A single column is computed by another kernel, whose sums depend on how many rows a piece has; a single row
 * is always whole.
 */
function isWide(a: Value, [rows, columns]: Shape, { transpose_a = false, few_rows = false }: GemmOptions): boolean {
  if (columns === 1) return rows !== 1;
  if (rows === 1 || typeof columns !== "number") return false;
  const inner = dimensionAt(a.shape, transpose_a ? -2 : -1);
  const depth = typeof inner === "string" ? Number.POSITIVE_INFINITY : inner;
  return typeof rows === "number" ? depth > DEEP && rows < columns : few_rows && couldBeNarrow(columns, depth);
}

/** The product as the transpose of op(b)^T op(a)^T, so that its bits do not depend on the number of threads. */
function turnedGemm(a: Value, b: Value, options: MatmulOptions, sum?: Value): Value {
  const { transpose_a = false, transpose_b = false, alpha = 1 } = options;
  const turned = { transpose_a: !transpose_b, transpose_b: !transpose_a, alpha };
  const { made } = a.graph.recorded(() => {
    const y = transpose(emitGemm(b, a, productShape(b.shape, a.shape, turned), turned), [1, 0]);
    return sum === undefined ? y : add(y, sum);
  });
  return made;
}

/** dL/da of alpha * op(a) op(b), added to the sum in the same product. */
function leftTerm(gradient: Value, b: Value, options: GemmOptions): GradientTerm {
  const { transpose_a = false, transpose_b = false, alpha = 1, few_rows = false } = options;
  return (sum) =>
    transpose_a
      ? gemm(b, gradient, { transpose_a: transpose_b, transpose_b: true, alpha }, sum)
      : gemm(gradient, b, { transpose_b: !transpose_b, alpha, few_rows }, sum);
}

function rightTerm(gradient: Value, a: Value, options: MatmulOptions): GradientTerm {
  const { transpose_a = false, transpose_b = false, alpha = 1 } = options;
  return (sum) =>
    transpose_b
      ? gemm(gradient, a, { transpose_a: true, transpose_b: transpose_a, alpha }, sum)
      : gemm(a, gradient, { transpose_a: !transpose_a, alpha }, sum);
}

/** `alpha * op(a) op(b)` for each matrix of a batch: a [..., n, k], b [..., k, m] with equal leading axes. No derivative. */
export function batchedMatmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  const { transpose_a = false, transpose_b = false, alpha = 1 } = options;
  const shape = productShape(a.shape, b.shape, options);
  if (a.type === "float32") {
    const attributes = { transA: transpose_a ? 1 : 0, transB: transpose_b ? 1 : 0, alpha: { float: alpha } };
    const plain = !transpose_a && !transpose_b && alpha === 1;
    return plain
      ? a.graph.emit("MatMul", [a, b], { type: a.type, shape })
      : a.graph.emit("FusedMatMul", [a, b], { type: a.type, shape }, { domain: "com.microsoft", attributes });
  }
  const left = transpose_a ? transposeMatrices(a) : a;
  const right = transpose_b ? transposeMatrices(b) : b;
  const y = a.graph.emit("MatMul", [left, right], { type: a.type, shape });
  return alpha === 1 ? y : mul(y, alpha);
}

function transposeMatrices(x: Value): Value {
  const rank = x.shape.length;
  return transpose(x, [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2]);
}

function productShape(a: Shape, b: Shape, { transpose_a = false, transpose_b = false }: MatmulOptions): Dimension[] {
  const [rows, inner_a] = transpose_a ? [-1, -2] : [-2, -1];
  const [inner_b, columns] = transpose_b ? [-1, -2] : [-2, -1];
  const fits =
    a.length === b.length &&
    sameShape(a.slice(0, -2), b.slice(0, -2)) &&
    dimensionAt(a, inner_a) === dimensionAt(b, inner_b);
  if (!fits) {
    throw new RangeError(
      `[${a}]${transpose_a ? " transposed" : ""} times [${b}]${transpose_b ? " transposed" : ""} does not fit`,
    );
  }
  return [...a.slice(0, -2), dimensionAt(a, rows), dimensionAt(b, columns)];
}

export interface LinearOptions {
  /** [out] */
  bias?: Value | undefined;
  /** What the result is added to, [n, out]. */
  sum?: Value | undefined;
}

/** y = sum + x w^T + bias: x [n, in], weight [out, in] as Hugging Face stores it. */
export function linear(x: Value, weight: Value, { bias, sum }: LinearOptions = {}): Value {
  const y = gemm(x, weight, { transpose_b: true }, sum);
  return bias === undefined ? y : add(y, bias);
}
