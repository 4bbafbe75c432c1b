/** A dimension: a number, or a product of names known only when a graph runs, such as `B*T` or `2*P`. */
export type Dimension = number | string;
export type Shape = readonly Dimension[];

/** The product of dimensions in its one written form: number first, names sorted. */
export function product(...dimensions: readonly Dimension[]): Dimension {
  let factor = 1;
  const names: string[] = [];
  for (const dimension of dimensions) {
    for (const part of String(dimension).split("*")) {
      if (/^\d+$/.test(part)) factor *= Number(part);
      else names.push(part);
    }
  }
  if (names.length === 0 || factor === 0) return factor;
  const named = names.sort().join("*");
  return factor === 1 ? named : `${factor}*${named}`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

/** A dimension of a shape; a negative axis counts from the end. */
export function dimensionAt(shape: Shape, axis: number): Dimension {
  const dimension = shape.at(axis);
  if (dimension === undefined) throw new RangeError(`[${shape}] has no axis ${axis}`);
  return dimension;
}

/** The shape of an elementwise operation on two shapes: a 1 stretches to whatever the other one has. */
export function broadcast(a: Shape, b: Shape): Dimension[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[a.length - rank + axis] ?? 1;
    const right = b[b.length - rank + axis] ?? 1;
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    throw new RangeError(`shapes [${a}] and [${b}] do not fit together: ${left} against ${right}`);
  });
}

/** Axes counted from the end made to count from the start; an axis that is not there is an error. */
export function normaliseAxes(axes: readonly number[], rank: number): number[] {
  return axes.map((axis) => {
    const from_start = axis < 0 ? axis + rank : axis;
    if (from_start < 0 || from_start >= rank) throw new RangeError(`there is no axis ${axis} of ${rank}`);
    return from_start;
  });
}
