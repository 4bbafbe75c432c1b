import { type FileHandle, open } from "node:fs/promises";
import { sizeOf } from "../../model/parameters.ts";
import { fileWatch } from "../file-watch.ts";
import { readFully } from "../tensor-file.ts";
import { readError } from "../weights-error.ts";
import { GGML_TYPES, type GgmlType, OTHER_TYPES } from "./dequantise.ts";
import {
  alignmentOf,
  badGguf,
  type GgufHeader,
  type GgufTensor,
  type GgufValue,
  parseGguf,
  unsupportedGguf,
} from "./parse-gguf.ts";

/** Bytes that are read and dequantised at once, about. */
const BLOCK = 1 << 22;
const FIRST_READ = 1 << 22;

/** An open GGUF file whose tensors are read one by one. */
export interface GgufFile extends AsyncDisposable {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** The name of ggml's type of a tensor: Q4_1, F32 … */
  typeOf(name: string): string;
  /** A tensor's numbers as float32, dequantised, in memory of its own. */
  read(name: string): Promise<Float32Array>;
  /** To be called when all is read: fails with `model_changed` if the file was written meanwhile. */
  check(): Promise<void>;
}

/**
 * Opens a GGUF file and checks its header: names, types, and that the tensors lie inside the file and not on one
 * another.
 */
export async function openGguf(path: string): Promise<GgufFile> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw readError(path, "the file cannot be read", error);
  });
  try {
    const watch = fileWatch();
    await watch.add(path, file);
    const { size: file_bytes } = await file.stat();
    const header = await readHeader(file, { path, file_bytes });
    checkTensors(header, { path, file_bytes });
    const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
    return {
      path,
      metadata: header.metadata,
      tensors,
      typeOf: (name) => typeOf(tensorOf(tensors, name, path), path).name,
      read: (name) => readTensor(file, tensorOf(tensors, name, path), { path, data_start: header.data_start }),
      check: () => watch.check(),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The header's length stands nowhere: more is read until it is all there. A vocabulary makes it a few megabytes. */
async function readHeader(
  file: FileHandle,
  { path, file_bytes }: { path: string; file_bytes: number },
): Promise<GgufHeader> {
  for (let size = Math.min(FIRST_READ, file_bytes); ; size = Math.min(size * 2, file_bytes)) {
    const bytes = Buffer.alloc(size);
    await readFully(file, bytes, { path, at: 0 });
    const header = parseGguf(bytes, { path, file_bytes });
    if (header !== null) return header;
  }
}

function checkTensors(
  { tensors, metadata, data_start }: GgufHeader,
  { path, file_bytes }: { path: string; file_bytes: number },
): void {
  const alignment = alignmentOf(metadata, path);
  const placed = [...tensors].sort((one, other) => one.offset - other.offset);
  let end = 0;
  let before = "";
  for (const tensor of placed) {
    const { name, offset } = tensor;
    if (offset % alignment !== 0)
      throw badGguf(path, `tensor ${name} begins at ${offset}, which is no multiple of ${alignment}`);
    if (offset < end) throw badGguf(path, `tensor ${name} overlaps ${before}`);
    end = offset + bytesOf(tensor, path);
    before = `tensor ${name}`;
    if (data_start + end > file_bytes) {
      throw badGguf(
        path,
        `${before} reaches to byte ${data_start + end}, but the file ends at ${file_bytes}: it is truncated`,
      );
    }
  }
}

function bytesOf(tensor: GgufTensor, path: string): number {
  const { block, bytes } = typeOf(tensor, path);
  const row = tensor.shape.at(-1) ?? 1;
  if (row % block !== 0) {
    throw badGguf(path, `tensor ${tensor.name} has rows of ${row} numbers, no multiple of the ${block} of a block`);
  }
  return (sizeOf(tensor.shape) / block) * bytes;
}

function typeOf({ name, type }: GgufTensor, path: string): GgmlType {
  const known = GGML_TYPES.get(type);
  if (known !== undefined) return known;
  const readable = [...GGML_TYPES.values()].map((entry) => entry.name).join(", ");
  throw unsupportedGguf(
    path,
    `tensor ${name} is ${OTHER_TYPES.get(type) ?? `of ggml's type ${type}`}; ${readable} can be read`,
    "take a file in one of these types: Q8_0, Q6_K and Q4_K_M are offered for most models",
  );
}

function tensorOf(tensors: ReadonlyMap<string, GgufTensor>, name: string, path: string): GgufTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw badGguf(path, `tensor ${name} is missing`);
  return tensor;
}

async function readTensor(
  file: FileHandle,
  tensor: GgufTensor,
  { path, data_start }: { path: string; data_start: number },
): Promise<Float32Array> {
  const { block, bytes, dequantise } = typeOf(tensor, path);
  const numbers = new Float32Array(sizeOf(tensor.shape));
  const blocks = numbers.length / block;
  const at_once = Math.max(1, Math.min(blocks, Math.floor(BLOCK / bytes)));
  const buffer = new Uint8Array(at_once * bytes);
  for (let done = 0; done < blocks; done += at_once) {
    const count = Math.min(at_once, blocks - done);
    const part = buffer.subarray(0, count * bytes);
    await readFully(file, part, { path, at: data_start + tensor.offset + done * bytes });
    dequantise(part, numbers.subarray(done * block, (done + count) * block));
  }
  return numbers;
}
