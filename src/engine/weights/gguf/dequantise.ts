import { f16Table, f16Values } from "../dtype.ts";
import { dequantiseQ4K, dequantiseQ5K, dequantiseQ6K } from "./k-quants.ts";

/** Turns whole blocks into numbers; `into` holds `block` numbers for every `bytes` of `from`. */
export type Dequantise = (from: Uint8Array, into: Float32Array) => void;

/** A type of ggml: `block` numbers are stored in `bytes`. */
export interface GgmlType {
  name: string;
  block: number;
  bytes: number;
  dequantise: Dequantise;
}

/** The numbers of blocks of 32, which most of ggml's simple types have. */
const BLOCK = 32;

/**
 * The types that can be read, by ggml's numbers. Each number of a block is worked out as ggml's reference does: the
 * scales are float16, every product is exact in float64, and the result is rounded to float32 once, so the bits are the
 * same.
 */
export const GGML_TYPES: ReadonlyMap<number, GgmlType> = new Map([
  [0, { name: "F32", block: 1, bytes: 4, dequantise: copyF32 }],
  [1, { name: "F16", block: 1, bytes: 2, dequantise: widenF16 }],
  [2, { name: "Q4_0", block: BLOCK, bytes: 18, dequantise: dequantiseQ40 }],
  [3, { name: "Q4_1", block: BLOCK, bytes: 20, dequantise: dequantiseQ41 }],
  [6, { name: "Q5_0", block: BLOCK, bytes: 22, dequantise: dequantiseQ50 }],
  [7, { name: "Q5_1", block: BLOCK, bytes: 24, dequantise: dequantiseQ51 }],
  [8, { name: "Q8_0", block: BLOCK, bytes: 34, dequantise: dequantiseQ80 }],
  [12, { name: "Q4_K", block: 256, bytes: 144, dequantise: dequantiseQ4K }],
  [13, { name: "Q5_K", block: 256, bytes: 176, dequantise: dequantiseQ5K }],
  [14, { name: "Q6_K", block: 256, bytes: 210, dequantise: dequantiseQ6K }],
  [30, { name: "BF16", block: 1, bytes: 2, dequantise: widenBf16 }],
]);

/** Names of types that cannot be read, for errors. */
export const OTHER_TYPES: ReadonlyMap<number, string> = new Map([
  [9, "Q8_1"],
  [10, "Q2_K"],
  [11, "Q3_K"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [20, "IQ4_NL"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [23, "IQ4_XS"],
  [24, "I8"],
  [25, "I16"],
  [26, "I32"],
  [27, "I64"],
  [28, "F64"],
  [29, "IQ1_M"],
  [34, "TQ1_0"],
  [35, "TQ2_0"],
  [39, "MXFP4"],
]);

function copyF32(from: Uint8Array, into: Float32Array): void {
  new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(from);
}

function widenF16(from: Uint8Array, into: Float32Array): void {
  const table = f16Table();
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0; i < bits.length; i += 1) bits[i] = table[u16(from, 2 * i)] as number;
}

function widenBf16(from: Uint8Array, into: Float32Array): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0; i < bits.length; i += 1) bits[i] = u16(from, 2 * i) << 16;
}

/**
 * A scale and 32 numbers of 4 bits, from -8 on. Byte j holds number j in its low half and number j + 16 in its high
 * half.
 */
function dequantiseQ40(from: Uint8Array, into: Float32Array): void {
  const f16 = f16Values();
  for (let at = 0, out = 0; out < into.length; at += 18, out += BLOCK) {
    const scale = f16[u16(from, at)] as number;
    for (let j = 0; j < 16; j += 1) {
      const pair = from[at + 2 + j] as number;
      into[out + j] = scale * ((pair & 15) - 8);
      into[out + j + 16] = scale * ((pair >> 4) - 8);
    }
  }
}

/** A scale, an offset and 32 numbers of 4 bits, from 0 on. */
function dequantiseQ41(from: Uint8Array, into: Float32Array): void {
  const f16 = f16Values();
  for (let at = 0, out = 0; out < into.length; at += 20, out += BLOCK) {
    const scale = f16[u16(from, at)] as number;
    const offset = f16[u16(from, at + 2)] as number;
    for (let j = 0; j < 16; j += 1) {
      const pair = from[at + 4 + j] as number;
      into[out + j] = scale * (pair & 15) + offset;
      into[out + j + 16] = scale * (pair >> 4) + offset;
    }
  }
}

/** As Q4_0 from -16 on, with the fifth bit of number j in bit j of a word before them. */
function dequantiseQ50(from: Uint8Array, into: Float32Array): void {
  const f16 = f16Values();
  for (let at = 0, out = 0; out < into.length; at += 22, out += BLOCK) {
    const scale = f16[u16(from, at)] as number;
    const high = u16(from, at + 2) | (u16(from, at + 4) << 16);
    for (let j = 0; j < 16; j += 1) {
      const pair = from[at + 6 + j] as number;
      into[out + j] = scale * (((pair & 15) | (((high >>> j) & 1) << 4)) - 16);
      into[out + j + 16] = scale * (((pair >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16);
    }
  }
}

/** As Q4_1, with the fifth bits as in Q5_0. */
function dequantiseQ51(from: Uint8Array, into: Float32Array): void {
  const f16 = f16Values();
  for (let at = 0, out = 0; out < into.length; at += 24, out += BLOCK) {
    const scale = f16[u16(from, at)] as number;
    const offset = f16[u16(from, at + 2)] as number;
    const high = u16(from, at + 4) | (u16(from, at + 6) << 16);
    for (let j = 0; j < 16; j += 1) {
      const pair = from[at + 8 + j] as number;
      into[out + j] = scale * ((pair & 15) | (((high >>> j) & 1) << 4)) + offset;
      into[out + j + 16] = scale * ((pair >> 4) | (((high >>> (j + 16)) & 1) << 4)) + offset;
    }
  }
}

/** A scale and 32 signed bytes. */
function dequantiseQ80(from: Uint8Array, into: Float32Array): void {
  const f16 = f16Values();
  const signed = new Int8Array(from.buffer, from.byteOffset, from.length);
  for (let at = 0, out = 0; out < into.length; at += 34, out += BLOCK) {
    const scale = f16[u16(from, at)] as number;
    for (let j = 0; j < BLOCK; j += 1) into[out + j] = scale * (signed[at + 2 + j] as number);
  }
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}
