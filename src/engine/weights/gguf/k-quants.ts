import { f16Values } from "../dtype.ts";

/** A block of 256 numbers. */
const BLOCK = 256;

/**
 * Q4_K: float16 `d` and `dmin`, 8 pairs of 6-bit scale and offset (packed), then 128 bytes of 4-bit numbers. Each 32
 * bytes hold 32 numbers in their low halves, which use one pair, and the next 32 in their high halves, which use the
 * next. A number is d·scale·q − dmin·offset.
 */
export function dequantiseQ4K(from: Uint8Array, into: Float32Array): void {
  const f16 = f16Values();
  const pairs = new Uint8Array(16);
  for (let at = 0, out = 0; out < into.length; at += 144, out += BLOCK) {
    const d = f16[u16(from, at)] as number;
    const dmin = f16[u16(from, at + 2)] as number;
    unpackPairs(from, at + 4, pairs);
    for (let group = 0; group < 8; group += 1) {
      const scale = d * (pairs[group] as number);
      const offset = dmin * (pairs[8 + group] as number);
      const shift = (group & 1) * 4;
      const numbers = at + 16 + (group >> 1) * 32;
      for (let j = 0; j < 32; j += 1) {
        into[out + group * 32 + j] = scale * (((from[numbers + j] as number) >> shift) & 15) - offset;
      }
    }
  }
}

/** Q5_K: as Q4_K, with 32 bytes before the numbers whose bit g is the fifth bit of the numbers of group g. */
export function dequantiseQ5K(from: Uint8Array, into: Float32Array): void {
  const f16 = f16Values();
  const pairs = new Uint8Array(16);
  for (let at = 0, out = 0; out < into.length; at += 176, out += BLOCK) {
    const d = f16[u16(from, at)] as number;
    const dmin = f16[u16(from, at + 2)] as number;
    unpackPairs(from, at + 4, pairs);
    for (let group = 0; group < 8; group += 1) {
      const scale = d * (pairs[group] as number);
      const offset = dmin * (pairs[8 + group] as number);
      const shift = (group & 1) * 4;
      const numbers = at + 48 + (group >> 1) * 32;
      for (let j = 0; j < 32; j += 1) {
        const low = ((from[numbers + j] as number) >> shift) & 15;
        const high = ((from[at + 16 + j] as number) >> group) & 1;
        into[out + group * 32 + j] = scale * (low | (high << 4)) - offset;
      }
    }
  }
}

/**
 * Q6_K: 128 bytes of low 4 bits, 64 bytes of high 2 bits, 16 signed 8-bit scales for 16 numbers each, float16 `d`. Of
 * each half (128 numbers), byte j of the high bits holds those of numbers j, j + 32, j + 64 and j + 96. A number is
 * d·scale·(q − 32).
 */
export function dequantiseQ6K(from: Uint8Array, into: Float32Array): void {
  const f16 = f16Values();
  const signed = new Int8Array(from.buffer, from.byteOffset, from.length);
  for (let at = 0, out = 0; out < into.length; at += 210, out += BLOCK) {
    const d = f16[u16(from, at + 208)] as number;
    for (let group = 0; group < 8; group += 1) {
      const half = group >> 2;
      const quarter = group & 3;
      const low = at + half * 64 + (quarter & 1) * 32;
      const high = at + 128 + half * 32;
      for (let j = 0; j < 32; j += 1) {
        const number = group * 32 + j;
        const bits = ((from[low + j] as number) >> ((quarter >> 1) * 4)) & 15;
        const above = ((from[high + j] as number) >> (quarter * 2)) & 3;
        const scale = d * (signed[at + 192 + (number >> 4)] as number);
        into[out + number] = scale * ((bits | (above << 4)) - 32);
      }
    }
  }
}

/**
 * 12 bytes hold 8 scales and 8 offsets of 6 bits: bytes 0-3 the scales 0-3 and bytes 4-7 the offsets 0-3 in their low 6
 * bits; bytes 8-11 the low 4 bits of scales (low half) and offsets (high half) 4-7, whose upper 2 bits fill the first
 * eight bytes.
 */
function unpackPairs(from: Uint8Array, at: number, pairs: Uint8Array): void {
  for (let i = 0; i < 4; i += 1) {
    const scale = from[at + i] as number;
    const offset = from[at + 4 + i] as number;
    const rest = from[at + 8 + i] as number;
    pairs[i] = scale & 63;
    pairs[8 + i] = offset & 63;
    pairs[4 + i] = (rest & 15) | ((scale >> 6) << 4);
    pairs[12 + i] = (rest >> 4) | ((offset >> 6) << 4);
  }
}

/** The bits of a float16. */
function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}
