import { writeFile } from "node:fs/promises";

/** A metadata value with its type said: what the format needs and JSON does not know. */
export type TestValue =
  | { u32: number }
  | { i32: number }
  | { f32: number }
  | { u64: bigint }
  | { bool: boolean }
  | { text: string }
  | { texts: string[] }
  | { f32s: number[] }
  | { i32s: number[] };

export interface TestTensor {
  name: string;
  /** Row-major. */
  shape: readonly number[];
  /** ggml's number of the type. */
  type: number;
  data: Uint8Array;
  /** Instead of the next free place. */
  offset?: number;
}

export interface TestGguf {
  metadata: Record<string, TestValue>;
  tensors: TestTensor[];
  version?: number;
  alignment?: number;
}

/** A GGUF file, made by hand from the format's description. */
export function ggufBytes({ metadata, tensors, version = 3, alignment = 32 }: TestGguf): Buffer {
  const parts: Buffer[] = [Buffer.from("GGUF"), u32(version), u64(tensors.length), u64(Object.keys(metadata).length)];
  for (const [key, value] of Object.entries(metadata)) parts.push(text(key), ...valueBytes(value));
  const placed: { offset: number; data: Uint8Array }[] = [];
  let end = 0;
  for (const { name, shape, type, data, offset = end } of tensors) {
    parts.push(text(name), u32(shape.length), ...[...shape].reverse().map(u64), u32(type), u64(offset));
    placed.push({ offset, data });
    end = Math.ceil((offset + data.length) / alignment) * alignment;
  }
  const header = Buffer.concat(parts);
  const start = Math.ceil(header.length / alignment) * alignment;
  const whole = Buffer.alloc(Math.max(start, ...placed.map(({ offset, data }) => start + offset + data.length)));
  header.copy(whole);
  for (const { offset, data } of placed) whole.set(data, start + offset);
  return whole;
}

export async function writeGguf(path: string, file: TestGguf): Promise<void> {
  await writeFile(path, ggufBytes(file));
}

/** The bytes of float32 numbers. */
export function f32Bytes(numbers: Float32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

function valueBytes(value: TestValue): Buffer[] {
  if ("u32" in value) return [u32(4), u32(value.u32)];
  if ("i32" in value) return [u32(5), i32(value.i32)];
  if ("f32" in value) return [u32(6), f32(value.f32)];
  if ("u64" in value) return [u32(10), u64(value.u64)];
  if ("bool" in value) return [u32(7), Buffer.of(value.bool ? 1 : 0)];
  if ("text" in value) return [u32(8), text(value.text)];
  if ("texts" in value) return [u32(9), u32(8), u64(value.texts.length), ...value.texts.map(text)];
  if ("f32s" in value) return [u32(9), u32(6), u64(value.f32s.length), ...value.f32s.map(f32)];
  return [u32(9), u32(5), u64(value.i32s.length), ...value.i32s.map(i32)];
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([u64(bytes.length), bytes]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
