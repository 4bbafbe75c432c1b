import { type FileHandle, open } from "node:fs/promises";
import { usageError } from "../../lib/errors.ts";
import { sizeOf } from "../model/parameters.ts";
import { bytesOf, type Dtype, MAX_F16, narrow } from "./dtype.ts";
import type { TensorSource } from "./tensor-source.ts";

/** Numbers that are narrowed and written at once. */
const BLOCK = 1 << 20;

/** Halfway from float16's largest number to the next step: from here on, the nearest is infinity. */
const OVERFLOW = MAX_F16 + 16;

export interface TensorFileOptions {
  dtype: Dtype;
  /** Texts for the header's `__metadata__`. transformers 4 wants `format: pt`, which is always there. */
  metadata?: Record<string, string>;
}

/**
 * Writes a safetensors file, tensor by tensor, and flushes it to disk. It must not exist, and is no whole file until
 * this ends: write into a folder that appears whole (`writeFolderWhole`). Fails with `f16_overflow` for a number that
 * float16 cannot hold.
 */
export async function writeTensorFile(path: string, source: TensorSource, options: TensorFileOptions): Promise<void> {
  const { dtype, metadata = {} } = options;
  const file = await open(path, "wx");
  try {
    await writeAll(file, headerBytes(source.shapes, dtype, { format: "pt", ...metadata }));
    for (const [name, shape] of source.shapes) {
      const numbers = await source.read(name);
      if (numbers.length !== sizeOf(shape)) {
        throw new RangeError(`tensor ${name} of shape [${shape.join(", ")}] came with ${numbers.length} numbers`);
      }
      await writeNumbers(file, numbers, { dtype, name });
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Length, header, and spaces up to a multiple of 8, so that the numbers can be mapped as they lie. */
function headerBytes(
  shapes: ReadonlyMap<string, readonly number[]>,
  dtype: Dtype,
  metadata: Record<string, string>,
): Buffer {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, shape] of shapes) {
    const begin = end;
    end += sizeOf(shape) * bytesOf(dtype);
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const text = Buffer.from(JSON.stringify(header), "utf8");
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = Buffer.alloc(8 + padded, " ");
  bytes.writeBigUInt64LE(BigInt(padded), 0);
  text.copy(bytes, 8);
  return bytes;
}

async function writeNumbers(
  file: FileHandle,
  numbers: Float32Array,
  { dtype, name }: { dtype: Dtype; name: string },
): Promise<void> {
  if (dtype === "F32") {
    await writeAll(file, new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
    return;
  }
  const block = new Uint16Array(Math.min(BLOCK, numbers.length));
  for (let done = 0; done < numbers.length; done += block.length) {
    const from = numbers.subarray(done, done + block.length);
    if (dtype === "F16") refuseOverflow(from, name);
    narrow(dtype, from, block.subarray(0, from.length));
    await writeAll(file, new Uint8Array(block.buffer, 0, from.length * 2));
  }
}

function refuseOverflow(numbers: Float32Array, name: string): void {
  const length = numbers.length;
  for (let i = 0; i < length; i += 1) {
    const number = numbers[i] as number;
    if ((number >= OVERFLOW || number <= -OVERFLOW) && Number.isFinite(number)) {
      throw usageError({
        code: "f16_overflow",
        where: name,
        what: `the tensor holds ${number}, which float16 cannot: it ends at ${MAX_F16}`,
        fix: "choose bf16 or f32",
      });
    }
  }
}

/** `FileHandle.write` may write less than it was given. */
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.length - done, 1 << 26));
    done += bytesWritten;
  }
}
