import { type FileHandle, open } from "node:fs/promises";
import { sizeOf } from "../model/parameters.ts";
import { bytesOf, DTYPES, type Dtype, widen } from "./dtype.ts";
import type { FileWatch } from "./file-watch.ts";
import { headerLength, parseHeader, type SafetensorsHeader, type TensorEntry } from "./safetensors-header.ts";
import { badWeights, readError } from "./weights-error.ts";

/** Big enough that a read costs little beside its bytes, small enough to stay in a cache. */
const BLOCK = 1 << 22;

/** An open safetensors file, whose tensors are read one by one. */
export interface TensorFile extends AsyncDisposable {
  readonly path: string;
  readonly header: SafetensorsHeader;
  /**
   * One tensor's numbers as float32, in memory of its own. Fails with `bad_weights` for a dtype other than F32, F16 and
   * BF16.
   */
  read(name: string): Promise<Float32Array>;
}

/** Opens a safetensors file and checks its header. `watch` is told of it, to notice writers. */
export async function openTensorFile(path: string, watch?: FileWatch): Promise<TensorFile> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw readError(path, "the weights cannot be read", error);
  });
  try {
    await watch?.add(path, file);
    const header = await readHeader(file, path);
    return {
      path,
      header,
      read: (name) => readTensor(file, { path, entry: header.tensors.get(name), name }),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The dtype of a tensor, if it is one that can be read. */
export function readableDtype({ dtype }: TensorEntry): Dtype | undefined {
  return DTYPES.find((known) => known === dtype);
}

async function readHeader(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size: file_bytes } = await file.stat();
  const first = Buffer.alloc(Math.min(8, file_bytes));
  await readFully(file, first, { path, at: 0 });
  const text = Buffer.alloc(headerLength(first, { path, file_bytes }));
  await readFully(file, text, { path, at: 8 });
  return parseHeader(utf8(text, path), { path, file_bytes });
}

function utf8(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw badWeights(path, "the header is not UTF-8; this is no safetensors file, or a damaged one", error);
  }
}

async function readTensor(
  file: FileHandle,
  { path, entry, name }: { path: string; entry: TensorEntry | undefined; name: string },
): Promise<Float32Array> {
  if (entry === undefined) throw badWeights(path, `tensor ${name} is missing`);
  const dtype = readableDtype(entry);
  if (dtype === undefined) throw badWeights(path, `tensor ${name} is ${entry.dtype}; F32, F16 and BF16 can be read`);
  const numbers = new Float32Array(sizeOf(entry.shape));
  const from = { path, at: entry.offset };
  if (dtype === "F32") await readFully(file, new Uint8Array(numbers.buffer), from);
  else await readWidened(file, numbers, { ...from, dtype });
  return numbers;
}

/** Half-width numbers go through one small block, so that a tensor's memory is that of its float32 numbers. */
async function readWidened(
  file: FileHandle,
  into: Float32Array,
  { path, at, dtype }: { path: string; at: number; dtype: "F16" | "BF16" },
): Promise<void> {
  const width = bytesOf(dtype);
  const block = new Uint16Array(Math.min(BLOCK / width, into.length));
  for (let done = 0; done < into.length; done += block.length) {
    const part = block.subarray(0, Math.min(block.length, into.length - done));
    await readFully(file, new Uint8Array(part.buffer, 0, part.byteLength), { path, at: at + done * width });
    widen(dtype, part, into.subarray(done, done + part.length));
  }
}

/** Fills `into` from byte `at` of the file on; a file that ends before is an error. */
export async function readFully(
  file: FileHandle,
  into: Uint8Array,
  { path, at }: { path: string; at: number },
): Promise<void> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, Math.min(into.length - done, 1 << 26), at + done);
    if (bytesRead === 0) throw badWeights(path, `the file ended at byte ${at + done} while it was being read`);
    done += bytesRead;
  }
}
