import { EXIT, messageOf, PairwrightError } from "../../lib/errors.ts";
import { type Code, type WasmFunction, wasm, wasmModule } from "./wasm-module.ts";

/** One step of AdamW; see `train/adamw.ts` for what the numbers are. */
export interface AdamWStep {
  scale: number;
  beta1: number;
  beta2: number;
  /** Learning rate over the first moment's correction. */
  rate: number;
  /** 1 / sqrt of the second moment's correction. */
  correction: number;
  epsilon: number;
  /** What a weight is multiplied with first. */
  keep: number;
}

/** Arrays of one length: weights, both moments, gradients. */
export interface AdamWArrays {
  p: Float32Array;
  m: Float32Array;
  v: Float32Array;
  g: Float32Array;
}

/** Passes over long float32 arrays, four numbers at a time. Lengths are multiples of four. */
export interface VectorKernels {
  /** Arrays of zeros. The kernels work on these in place; others they take over piece by piece. */
  arrays(count: number, size: number): Float32Array[];
  /** sum += more */
  add(sum: Float32Array, more: Float32Array): void;
  /** The sum of squares, in float64; in another order for arrays that lie outside. */
  squares(x: Float32Array): number;
  /** Changes p, m and v. */
  adamw(arrays: AdamWArrays, step: AdamWStep): void;
}

/** What is used of it here: the compiler's libraries for Node do not have it. */
declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number }) => { buffer: ArrayBuffer };
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  Instance: new (module: object, imports: object) => { exports: object };
};

const PAGE = 1 << 16;
const ALIGN = 64;
/** Numbers of a piece; up to four arrays' pieces stand at the memory's beginning and stay in the cache. */
const PIECE = 1 << 14;
const SCRATCH = 4 * 4 * PIECE;
/** What 32 bits address. Larger arrays lie outside. */
const MOST_BYTES = 2 ** 32 - 2 * PAGE;

/** With room for `bytes` of arrays, if that is not too much. */
export function vectorKernels(bytes = 0): VectorKernels {
  const room = bytes > MOST_BYTES - SCRATCH ? 0 : bytes;
  const pages = Math.ceil((SCRATCH + room) / PAGE);
  const { memory, exports } = instance(pages);
  const kernels = exports as unknown as Record<"add" | "squares" | "adamw", (...given: number[]) => number>;
  const scratch = new Float32Array(memory.buffer, 0, SCRATCH / 4);
  let free = SCRATCH;

  /** Calls `kernel` with the addresses of stretches of the arrays. The first `changed` arrays are written. */
  function over(arrays: readonly Float32Array[], changed: number, kernel: (addresses: number[], end: number) => void) {
    const size = arrays[0]?.length ?? 0;
    if (size % 4 !== 0 || arrays.some(({ length }) => length !== size))
      throw new RangeError(`arrays of ${size} numbers`);
    const is_inside = arrays.map(({ buffer }) => buffer === memory.buffer);
    const length = is_inside.every(Boolean) ? size : PIECE;
    for (let start = 0; start < size; start += length) {
      const end = Math.min(start + length, size);
      const addresses = arrays.map((array, index) => {
        if (is_inside[index]) return array.byteOffset + 4 * start;
        scratch.set(array.subarray(start, end), index * PIECE);
        return 4 * index * PIECE;
      });
      kernel(addresses, (addresses[0] ?? 0) + 4 * (end - start));
      for (let index = 0; index < changed; index += 1) {
        if (!is_inside[index]) {
          arrays[index]?.set(scratch.subarray(index * PIECE, index * PIECE + end - start), start);
        }
      }
    }
  }

  return {
    arrays(count, size) {
      return Array.from({ length: count }, () => {
        const from = free;
        const next = from + Math.ceil((4 * size) / ALIGN) * ALIGN;
        if (next > memory.buffer.byteLength) return new Float32Array(size);
        free = next;
        return new Float32Array(memory.buffer, from, size);
      });
    },
    add: (sum, more) => over([sum, more], 1, ([a = 0, b = 0], end) => kernels.add(a, b, end)),
    squares(x) {
      let sum = 0;
      over([x], 0, ([at = 0], end) => {
        sum += kernels.squares(at, end);
      });
      return sum;
    },
    adamw({ p, m, v, g }, { scale, beta1, beta2, rate, correction, epsilon, keep }) {
      const numbers = [scale, beta1, 1 - beta1, beta2, 1 - beta2, rate, correction, epsilon, keep];
      over([p, m, v, g], 3, (addresses, end) => kernels.adamw(...addresses, end, ...numbers));
    },
  };
}

let compiled: object | undefined;

/** Fails with `engine_missing` where there are no vectors, or where no address space is left for the memory. */
function instance(pages: number) {
  try {
    compiled ??= new WebAssembly.Module(wasmModule([ADD, SQUARES, ADAMW]));
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    return { memory, exports: new WebAssembly.Instance(compiled, { memory: { memory } }).exports };
  } catch (cause) {
    throw new PairwrightError({
      code: "engine_missing",
      where: "WebAssembly",
      what: `this Node cannot compute with its vectors (${messageOf(cause, 200)})`,
      fix: "train on a processor with SSE 4.1 or NEON, without --jitless, and with more address space (ulimit -v) where it is limited",
      exit_code: EXIT.usage,
      cause,
    });
  }
}

const { get, set, load, store, until, atLeast, plus, i32, f32x4, f64x2, upper, and } = wasm;
const VECTOR = i32(16);

/** Goes over vectors: `pointers` are variables that go along, the first of them up to `end`. */
function each(pointers: readonly number[], end: number, body: Code): Code {
  const onwards = pointers.flatMap((pointer) => set(pointer, plus(get(pointer), VECTOR)));
  return until(atLeast(get(pointers[0] ?? 0), get(end)), [...body, ...onwards]);
}

const ADD: WasmFunction = {
  name: "add",
  parameters: ["i32", "i32", "i32"],
  locals: [],
  body: each([0, 1], 2, store(get(0), f32x4.add(load(get(0)), load(get(1))))),
};

const squareOf = (local: number) => f64x2.mul(get(local), get(local));
const SQUARES: WasmFunction = {
  name: "squares",
  parameters: ["i32", "i32"],
  result: "f64",
  // A vector, its halves in float64, and their sums.
  locals: ["v128", "v128", "v128", "v128", "v128"],
  body: [
    ...each(
      [0],
      1,
      [
        set(2, load(get(0))),
        set(3, f64x2.ofLower(get(2))),
        set(4, f64x2.ofLower(upper(get(2)))),
        set(5, f64x2.add(get(5), squareOf(3))),
        set(6, f64x2.add(get(6), squareOf(4))),
      ].flat(),
    ),
    ...set(5, f64x2.add(get(5), get(6))),
    ...wasm.f64.add(f64x2.lane(get(5), 0), f64x2.lane(get(5), 1)),
  ],
};

/** Below this a gradient is zero, and below that a moment: numbers that are nearly none take a hundred times as long. */
const NO_GRADIENT = 1e-17;
const NO_MOMENT = 1e-37;

const ADAMW: WasmFunction = adamw();
function adamw(): WasmFunction {
  const [p, m, v, g, end] = [0, 1, 2, 3, 4];
  // Parameters as numbers, then the same as vectors.
  const given = ["scale", "beta1", "rest1", "beta2", "rest2", "rate", "correction", "epsilon", "keep"] as const;
  const [least_gradient, least_moment, gradient, first, second] = [23, 24, 25, 26, 27];
  const all = (name: (typeof given)[number]) => get(14 + given.indexOf(name));
  const orZero = (value: number, least: number) => and(get(value), f32x4.atLeast(f32x4.abs(get(value)), get(least)));
  const constant = (value: number): Code => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];
  const moment = (at: number, beta: Code, added: Code) => f32x4.add(f32x4.mul(load(get(at)), beta), added);
  const step = [
    set(gradient, f32x4.mul(load(get(g)), all("scale"))),
    set(gradient, orZero(gradient, least_gradient)),
    set(first, moment(m, all("beta1"), f32x4.mul(get(gradient), all("rest1")))),
    set(first, orZero(first, least_moment)),
    set(second, moment(v, all("beta2"), f32x4.mul(f32x4.mul(get(gradient), get(gradient)), all("rest2")))),
    set(second, orZero(second, least_moment)),
    store(get(m), get(first)),
    store(get(v), get(second)),
    store(
      get(p),
      f32x4.sub(
        f32x4.mul(load(get(p)), all("keep")),
        f32x4.div(
          f32x4.mul(get(first), all("rate")),
          f32x4.add(f32x4.mul(f32x4.sqrt(get(second)), all("correction")), all("epsilon")),
        ),
      ),
    ),
  ];
  return {
    name: "adamw",
    parameters: [...Array<"i32">(5).fill("i32"), ...given.map(() => "f32" as const)],
    locals: [...given, "least gradient", "least moment", "gradient", "first", "second"].map(() => "v128" as const),
    body: [
      ...given.flatMap((_, index) => set(14 + index, f32x4.all(get(5 + index)))),
      ...set(least_gradient, f32x4.all(constant(NO_GRADIENT))),
      ...set(least_moment, f32x4.all(constant(NO_MOMENT))),
      ...each([p, m, v, g], end, step.flat()),
    ],
  };
}
