/** How floats lie in a file of weights: 32-bit, or one of the two 16-bit kinds. In memory all are float32. */
export type Dtype = "F32" | "F16" | "BF16";

export const DTYPES: readonly Dtype[] = ["F32", "F16", "BF16"];

/** Bytes of one number. */
export function bytesOf(dtype: Dtype): number {
  return dtype === "F32" ? 4 : 2;
}

/** The largest number that is finite in float16; what is nearer to the step above it, 65,536, becomes infinity. */
export const MAX_F16 = 65_504;

/**
 * Numbers of the 16-bit kinds, as their bits, to float32. Exact, infinities and NaN included. `from` and `into` are
 * equally long.
 */
export function widen(dtype: "F16" | "BF16", from: Uint16Array, into: Float32Array): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  const length = from.length;
  if (dtype === "BF16") {
    for (let i = 0; i < length; i += 1) bits[i] = (from[i] as number) << 16;
    return;
  }
  const table = f16Table();
  for (let i = 0; i < length; i += 1) bits[i] = table[from[i] as number] as number;
}

/**
 * Float32 to the bits of a 16-bit kind, rounded to nearest, ties to even, as torch rounds. A number beyond float16's
 * range becomes an infinity; a NaN stays a NaN. `from` and `into` are equally long.
 */
export function narrow(dtype: "F16" | "BF16", from: Float32Array, into: Uint16Array): void {
  // Signed: V8 keeps a word of 32 bits as a plain integer only when it is.
  const bits = new Int32Array(from.buffer, from.byteOffset, from.length);
  if (dtype === "BF16") narrowToBf16(bits, into);
  else narrowToF16(bits, into);
}

function narrowToBf16(from: Int32Array, into: Uint16Array): void {
  const length = from.length;
  for (let i = 0; i < length; i += 1) {
    const bits = from[i] as number;
    // Rounding could carry a NaN's last bits away and leave an infinity.
    if ((bits & 0x7fff_ffff) > 0x7f80_0000) into[i] = 0x7fc0;
    else into[i] = (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
}

function narrowToF16(from: Int32Array, into: Uint16Array): void {
  const length = from.length;
  for (let i = 0; i < length; i += 1) {
    const bits = from[i] as number;
    const size = bits & 0x7fff_ffff;
    const sign = (bits >>> 16) & 0x8000;
    if (size >= 0x3880_0000 && size < 0x477f_f000) {
      const rebased = size - 0x3800_0000;
      into[i] = sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
    } else into[i] = sign | outsideF16(size);
  }
}

/** Float16's bits of a float32 that is too big or too small for an ordinary one; both without sign. */
function outsideF16(size: number): number {
  if (size > 0x7f80_0000) return 0x7e00;
  // From 65,520 on, the nearest float16 is infinity.
  if (size >= 0x477f_f000) return 0x7c00;
  // Subnormal: a multiple of 2^-24. Below half of that it is zero.
  if (size < 0x3300_0000) return 0;
  const shift = 126 - (size >>> 23);
  const digits = (size & 0x7f_ffff) | 0x80_0000;
  const kept = digits >>> shift;
  const rest = digits & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0);
}

let f16_table: Uint32Array | undefined;

/** The float32 bits of every float16: a table beats working each of millions of numbers out. */
export function f16Table(): Uint32Array {
  if (f16_table !== undefined) return f16_table;
  const floats = new Float32Array(0x1_0000);
  for (let bits = 0; bits < 0x1_0000; bits += 1) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >>> 10) & 0x1f;
    const digits = bits & 0x3ff;
    if (exponent === 0) floats[bits] = sign * digits * 2 ** -24;
    else if (exponent < 0x1f) floats[bits] = sign * (1 + digits / 1024) * 2 ** (exponent - 15);
  }
  const table = new Uint32Array(floats.buffer);
  for (let digits = 0; digits < 0x400; digits += 1) {
    // Infinities, and NaNs with their payload.
    table[0x7c00 | digits] = 0x7f80_0000 | (digits << 13);
    table[0xfc00 | digits] = 0xff80_0000 | (digits << 13);
  }
  f16_table = table;
  return table;
}

/** The value of every float16, by its bits. */
export function f16Values(): Float32Array {
  return new Float32Array(f16Table().buffer);
}
