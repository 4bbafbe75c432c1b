import { type PairwrightError, usageError } from "../../../lib/errors.ts";

/** A metadata value: whole numbers beyond 2^53 stay bigint. */
export type GgufValue = number | bigint | boolean | string | GgufValue[];

/** Where one tensor lies in a GGUF file. */
export interface GgufTensor {
  name: string;
  /** Row-major, as everywhere else here: the file counts its sizes the other way round. */
  shape: readonly number[];
  /** ggml's number of its type. */
  type: number;
  /** Its first byte, from the start of the tensors. */
  offset: number;
}

export interface GgufHeader {
  version: number;
  metadata: ReadonlyMap<string, GgufValue>;
  tensors: readonly GgufTensor[];
  /** The first byte of the tensors, from the start of the file. */
  data_start: number;
}

export interface GgufBytes {
  path: string;
  file_bytes: number;
}

const MAX_DIMENSIONS = 4;
/** Arrays of arrays are allowed by the format; nobody nests deeper. */
const MAX_DEPTH = 4;

/**
 * Reads the header of a GGUF file (version 2 or 3) from its first bytes. `null` when they end before the header does:
 * to be called again with more. Every length is checked against the file's own, so a wrong one is an error and never a
 * huge allocation.
 */
export function parseGguf(bytes: Buffer, file: GgufBytes): GgufHeader | null {
  const cursor = byteCursor(bytes, file);
  try {
    return readHeader(cursor, file);
  } catch (error) {
    if (error === NEED_MORE) return null;
    throw error;
  }
}

/** Thrown, and caught above, where the bytes at hand end but the file goes on. */
const NEED_MORE = Symbol("more bytes are needed");

interface ByteCursor {
  u32(what: string): number;
  /** A length or count: no more than the file has bytes. */
  length(what: string): number;
  u64(what: string): bigint;
  text(what: string): string;
  /** A number of this metadata type, or a boolean. */
  scalar(type: number, what: string): GgufValue | undefined;
  at(): number;
}

type Scalar = [size: number, read: (bytes: Buffer, at: number) => GgufValue];

const SCALARS: Record<number, Scalar> = {
  0: [1, (bytes, at) => bytes.readUInt8(at)],
  1: [1, (bytes, at) => bytes.readInt8(at)],
  2: [2, (bytes, at) => bytes.readUInt16LE(at)],
  3: [2, (bytes, at) => bytes.readInt16LE(at)],
  4: [4, (bytes, at) => bytes.readUInt32LE(at)],
  5: [4, (bytes, at) => bytes.readInt32LE(at)],
  6: [4, (bytes, at) => bytes.readFloatLE(at)],
  7: [1, (bytes, at) => bytes.readUInt8(at) !== 0],
  10: [8, (bytes, at) => plain(bytes.readBigUInt64LE(at))],
  11: [8, (bytes, at) => plain(bytes.readBigInt64LE(at))],
  12: [8, (bytes, at) => bytes.readDoubleLE(at)],
};
const STRING = 8;
const ARRAY = 9;

function plain(number: bigint): number | bigint {
  return Number.isSafeInteger(Number(number)) ? Number(number) : number;
}

function byteCursor(bytes: Buffer, { path, file_bytes }: GgufBytes): ByteCursor {
  let at = 0;
  /** The place of the next `size` bytes, which it steps over. */
  function take(size: number, what: string): number {
    const start = at;
    if (start + size > file_bytes) throw badGguf(path, `the file is truncated: it ends inside ${what}`);
    if (start + size > bytes.length) throw NEED_MORE;
    at += size;
    return start;
  }
  const u64 = (what: string) => bytes.readBigUInt64LE(take(8, what));
  function length(what: string): number {
    const value = u64(what);
    if (value > BigInt(file_bytes)) {
      throw badGguf(path, `${what} would be ${value} long, more than the file has bytes: it is damaged`);
    }
    return Number(value);
  }
  return {
    u64,
    length,
    u32: (what) => bytes.readUInt32LE(take(4, what)),
    text(what) {
      const size = length(what);
      const start = take(size, what);
      return bytes.toString("utf8", start, start + size);
    },
    scalar(type, what) {
      const scalar = SCALARS[type];
      return scalar === undefined ? undefined : scalar[1](bytes, take(scalar[0], what));
    },
    at: () => at,
  };
}

function readHeader(cursor: ByteCursor, { path, file_bytes }: GgufBytes): GgufHeader {
  if (file_bytes < 4 || cursor.u32("the first bytes") !== 0x4655_4747) throw badGguf(path, "this is no GGUF file");
  const version = cursor.u32("the version");
  if (version !== 2 && version !== 3) {
    const why = version % 65_536 === 0 ? "of a machine with the other byte order" : `of version ${version}`;
    throw badGguf(path, `this is a GGUF file ${why}; versions 2 and 3, little-endian, can be read`);
  }
  const tensor_count = cursor.length("the number of tensors");
  const key_count = cursor.length("the number of keys");
  const metadata = readMetadata(cursor, key_count, path);
  const tensors = readTensors(cursor, tensor_count, path);
  return { version, metadata, tensors, data_start: align(cursor.at(), alignmentOf(metadata, path)) };
}

function readMetadata(cursor: ByteCursor, count: number, path: string): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i += 1) {
    const key = cursor.text(`the name of key ${i + 1}`);
    if (metadata.has(key)) throw badGguf(path, `key ${short(key)} stands in it twice`);
    metadata.set(key, readValue(cursor, cursor.u32(`the type of ${short(key)}`), { key: short(key), path, depth: 0 }));
  }
  return metadata;
}

function readValue(
  cursor: ByteCursor,
  type: number,
  { key, path, depth }: { key: string; path: string; depth: number },
): GgufValue {
  if (type === STRING) return cursor.text(key);
  if (type !== ARRAY) {
    const value = cursor.scalar(type, key);
    if (value === undefined) throw badGguf(path, `key ${key} has the unknown type ${type}`);
    return value;
  }
  if (depth >= MAX_DEPTH) throw badGguf(path, `key ${key} nests arrays more than ${MAX_DEPTH} deep`);
  const inner = cursor.u32(key);
  const count = cursor.length(key);
  const values: GgufValue[] = [];
  for (let i = 0; i < count; i += 1) values.push(readValue(cursor, inner, { key, path, depth: depth + 1 }));
  return values;
}

function readTensors(cursor: ByteCursor, count: number, path: string): GgufTensor[] {
  const tensors: GgufTensor[] = [];
  const names = new Set<string>();
  for (let i = 0; i < count; i += 1) {
    const name = cursor.text(`the name of tensor ${i + 1}`);
    if (names.has(name)) throw badGguf(path, `tensor ${short(name)} stands in it twice`);
    names.add(name);
    const what = `tensor ${short(name)}`;
    const dimensions = cursor.u32(what);
    if (dimensions > MAX_DIMENSIONS) throw badGguf(path, `${what} has ${dimensions} dimensions`);
    const sizes = Array.from({ length: dimensions }, () => sizeOrFault(cursor.u64(what), what, path));
    tensors.push({ name, shape: sizes.reverse(), type: cursor.u32(what), offset: cursor.length(what) });
  }
  return tensors;
}

function sizeOrFault(size: bigint, what: string, path: string): number {
  if (size < 2n ** 40n) return Number(size);
  throw badGguf(path, `${what} has a dimension of ${size}`);
}

/** Where the tensors begin, and each of them: at multiples of this. */
export function alignmentOf(metadata: ReadonlyMap<string, GgufValue>, path: string): number {
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment === "number" && alignment > 0 && alignment <= 1 << 20 && (alignment & (alignment - 1)) === 0) {
    return alignment;
  }
  throw badGguf(path, `general.alignment is ${String(alignment)}; a power of two was expected`);
}

function align(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

function short(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80)}…` : name;
}

/** A GGUF file that is not what it should be. */
export function badGguf(path: string, what: string): PairwrightError {
  return usageError({ code: "bad_gguf", where: path, what, fix: "copy the file from its source again" });
}

/** A GGUF file that asks for what is not built. */
export function unsupportedGguf(path: string, what: string, fix: string): PairwrightError {
  return usageError({ code: "unsupported_gguf", where: path, what, fix });
}
