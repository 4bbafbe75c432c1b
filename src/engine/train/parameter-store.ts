import { type Parameters, sizeOf, type Tensor } from "../model/parameters.ts";
import { type VectorKernels, vectorKernels } from "../runtime/vector-kernels.ts";

/** Tensors begin on cache lines, so that vector instructions load them whole. */
const ALIGN = 16;

/** Where each tensor stands in one array of them all. */
export interface ParameterLayout {
  readonly names: readonly string[];
  /** Numbers in all. */
  readonly size: number;
  /** Numbers before this index are decayed: matrices. After it: norms and biases. */
  readonly decayed: number;
  /** One tensor's stretch of an array, not copied. */
  view(array: Float32Array, name: string): Tensor;
}

/**
 * The trained weights, their gradients and the optimiser's moments, each one array with every tensor a stretch of it:
 * a step of the optimiser is a few long operations instead of a dozen for each tensor.
 */
export interface ParameterStore {
  readonly layout: ParameterLayout;
  readonly names: readonly string[];
  readonly values: Float32Array;
  readonly gradients: Float32Array;
  /** The running means of gradients (m) and of their squares (v). */
  readonly first_moments: Float32Array;
  readonly second_moments: Float32Array;
  readonly decayed: number;
  /** What the arrays are worked on with, in place. */
  readonly kernels: VectorKernels;
  /** One tensor's stretch of one of the arrays, not copied. */
  view(of: "values" | "gradients" | "first_moments" | "second_moments", name: string): Tensor;
}

export function layoutOf(shapes: ReadonlyMap<string, readonly number[]>): ParameterLayout {
  const isMatrix = ([, shape]: [string, readonly number[]]) => shape.length > 1;
  const all = [...shapes];
  const ordered = [...all.filter(isMatrix), ...all.filter((entry) => !isMatrix(entry))];
  const places = new Map<string, { offset: number; shape: readonly number[] }>();
  let size = 0;
  let decayed = 0;
  for (const [name, shape] of ordered) {
    places.set(name, { offset: size, shape });
    size += Math.ceil(sizeOf(shape) / ALIGN) * ALIGN;
    if (shape.length > 1) decayed = size;
  }
  return {
    names: [...places.keys()],
    size,
    decayed,
    view(array, name) {
      const place = places.get(name);
      if (place === undefined) throw new RangeError(`there is no trained weight ${name}`);
      const { offset, shape } = place;
      return { shape, data: array.subarray(offset, offset + sizeOf(shape)) };
    },
  };
}

/** A store with copies of these tensors; gradients and moments are zero. */
export function createParameterStore(tensors: Parameters): ParameterStore {
  const layout = layoutOf(new Map([...tensors].map(([name, { shape }]) => [name, shape])));
  const { names, size, decayed } = layout;
  const kernels = vectorKernels(4 * 4 * size);
  const made = kernels.arrays(4, size);
  const array = (index: number) => made[index] ?? new Float32Array(size);
  const arrays = { values: array(0), gradients: array(1), first_moments: array(2), second_moments: array(3) };
  for (const [name, { data }] of tensors) layout.view(arrays.values, name).data.set(data);
  return { layout, names, ...arrays, decayed, kernels, view: (of, name) => layout.view(arrays[of], name) };
}
