/**
 * Functions in WebAssembly's binary form, for the few loops over long arrays that neither an operator of onnxruntime does in
 * one pass nor JavaScript four numbers at a time.
 */

/** Instructions as bytes. */
export type Code = readonly number[];

export type WasmType = keyof typeof TYPES;
const TYPES = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b };

export interface WasmFunction {
  name: string;
  parameters: readonly WasmType[];
  result?: WasmType;
  /** Variables after the parameters; they begin as zeros. */
  locals: readonly WasmType[];
  body: Code;
}

/** A module that exports these functions over one memory, which it imports as `memory.memory`. */
export function wasmModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const memory = [...text("memory"), ...text("memory"), 0x02, 0x00, 0x01];
  const types = functions.map(({ parameters, result }) => [
    0x60,
    ...list(parameters.map((type) => [TYPES[type]])),
    ...list(result === undefined ? [] : [[TYPES[result]]]),
  ]);
  const code = functions.map(({ locals, body }) => {
    const bytes = [...list(locals.map((type) => [1, TYPES[type]])), ...body, 0x0b];
    return [...unsigned(bytes.length), ...bytes];
  });
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, types),
    ...section(2, [memory]),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(
      7,
      functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]),
    ),
    ...section(10, code),
  ]);
}

function section(id: number, entries: readonly Code[]): Code {
  const bytes = list(entries);
  return [id, ...unsigned(bytes.length), ...bytes];
}

function list(entries: readonly Code[]): Code {
  return [...unsigned(entries.length), ...entries.flat()];
}

function text(value: string): Code {
  return [...unsigned(value.length), ...Buffer.from(value)];
}

/** LEB128 */
function unsigned(value: number): Code {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const rest = value >> 7;
  const is_last = (rest === 0 && (value & 64) === 0) || (rest === -1 && (value & 64) !== 0);
  return is_last ? [value & 127] : [(value & 127) | 128, ...signed(rest)];
}

const simd =
  (operation: number) =>
  (...operands: readonly Code[]): Code => [...operands.flat(), 0xfd, ...unsigned(operation)];

/** Each takes the code of its operands and leaves its value on the stack; `f32x4` and `f64x2` are of vectors. */
export const wasm = {
  get: (local: number): Code => [0x20, ...unsigned(local)],
  set: (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)],
  i32: (value: number): Code => [0x41, ...signed(value)],
  plus: (a: Code, b: Code): Code => [...a, ...b, 0x6a],
  /** Repeats while `condition` does not hold. */
  until: (condition: Code, body: Code): Code => [
    ...[0x02, 0x40, 0x03, 0x40],
    ...condition,
    ...[0x0d, 0x01],
    ...body,
    ...[0x0c, 0x00, 0x0b, 0x0b],
  ],
  atLeast: (a: Code, b: Code): Code => [...a, ...b, 0x4f],
  load: (address: Code): Code => [...address, 0xfd, 0x00, 0x04, 0x00],
  store: (address: Code, value: Code): Code => [...address, ...value, 0xfd, 0x0b, 0x04, 0x00],
  f32x4: {
    all: simd(0x13),
    abs: simd(0xe0),
    sqrt: simd(0xe3),
    add: simd(0xe4),
    sub: simd(0xe5),
    mul: simd(0xe6),
    div: simd(0xe7),
    atLeast: simd(0x46),
  },
  f64x2: {
    add: simd(0xf0),
    mul: simd(0xf2),
    /** The lower two numbers of an f32x4. */
    ofLower: simd(0x5f),
    lane: (value: Code, index: number): Code => [...value, 0xfd, 0x21, index],
  },
  and: simd(0x4e),
  /** The upper half of a vector where its lower half was. */
  upper: (value: Code): Code => [...value, ...value, 0xfd, 0x0d, ...Array.from({ length: 16 }, (_, at) => 8 + at)],
  f64: { add: (a: Code, b: Code): Code => [...a, ...b, 0xa0] },
};
