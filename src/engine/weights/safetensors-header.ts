import { isObject } from "../model/config-fields.ts";
import { sizeOf } from "../model/parameters.ts";
import { badWeights } from "./weights-error.ts";

/**
 * Bits of one number, by safetensors' names. Those that the engine cannot read may still stand in a file beside what it
 * needs.
 */
const DTYPE_BITS: ReadonlyMap<string, number> = new Map([
  ...["F4", "F6_E2M3", "F6_E3M2"].map((name, i) => [name, i === 0 ? 4 : 6] as const),
  ...["BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"].map((n) => [n, 8] as const),
  ...["U16", "I16", "F16", "BF16"].map((name) => [name, 16] as const),
  ...["U32", "I32", "F32"].map((name) => [name, 32] as const),
  ...["U64", "I64", "F64", "C64"].map((name) => [name, 64] as const),
]);

/** safetensors' own limit. */
const MAX_HEADER = 100_000_000;

/** Where one tensor lies in a safetensors file. */
export interface TensorEntry {
  name: string;
  /** As the file says it: F32, BF16, I64 … */
  dtype: string;
  shape: readonly number[];
  /** Its first byte, from the start of the file. */
  offset: number;
  bytes: number;
}

export interface SafetensorsHeader {
  tensors: ReadonlyMap<string, TensorEntry>;
  metadata: Record<string, string>;
}

/** The header's length in bytes, which the first 8 bytes of the file hold (little-endian). */
export function headerLength(first: Buffer, { path, file_bytes }: { path: string; file_bytes: number }): number {
  if (first.length < 8)
    throw badWeights(path, `the file is truncated: it has ${file_bytes} bytes, not even a header's`);
  const length = first.readBigUInt64LE(0);
  if (length > MAX_HEADER || length < 2n) {
    throw badWeights(path, `the header would be ${length} bytes long; this is no safetensors file`);
  }
  if (Number(length) + 8 > file_bytes) {
    throw badWeights(path, `the file is truncated: its header alone needs ${length + 8n} bytes, it has ${file_bytes}`);
  }
  return Number(length);
}

/**
 * Reads the header of a safetensors file. Everything is checked that the format promises: names once, known dtypes,
 * sizes that fit shapes, tensors that cover the rest of the file without gap, overlap or remainder (a file cut short,
 * or still being written, does not).
 */
export function parseHeader(
  text: string,
  { path, file_bytes }: { path: string; file_bytes: number },
): SafetensorsHeader {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw badWeights(path, "the header is not JSON; this is no safetensors file, or a damaged one", error);
  }
  if (!isObject(header)) throw badWeights(path, "the header is no JSON object");
  refuseTwice(text, path);

  const data_start = 8 + Buffer.byteLength(text, "utf8");
  const { __metadata__: metadata, ...entries } = header;
  const tensors = Object.entries(entries).map(([name, entry]) => readEntry(name, entry, { path, data_start }));
  tensors.sort((one, other) => one.offset - other.offset || one.bytes - other.bytes);
  checkLayout(tensors, { path, data_start, file_bytes });
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata: readMetadata(metadata, path) };
}

function readEntry(
  name: string,
  entry: unknown,
  { path, data_start }: { path: string; data_start: number },
): TensorEntry {
  const fault = (what: string) => badWeights(path, `tensor ${name}: ${what}`);
  if (!isObject(entry)) throw fault("its entry in the header is no object");
  const { dtype, shape, data_offsets } = entry;
  const bits = typeof dtype === "string" ? DTYPE_BITS.get(dtype) : undefined;
  if (bits === undefined) throw fault(`unknown dtype ${JSON.stringify(dtype)}`);
  if (!isCounts(shape)) throw fault(`its shape is no list of sizes`);
  if (!isCounts(data_offsets) || data_offsets.length !== 2) throw fault("its data_offsets are no two offsets");

  const [begin = 0, end = 0] = data_offsets;
  const bytes = (sizeOf(shape) * bits) / 8;
  if (end - begin !== bytes) {
    throw fault(`its data_offsets hold ${end - begin} bytes; ${dtype} of shape [${shape.join(", ")}] needs ${bytes}`);
  }
  return { name, dtype: dtype as string, shape, offset: data_start + begin, bytes };
}

function checkLayout(
  tensors: readonly TensorEntry[],
  { path, data_start, file_bytes }: { path: string; data_start: number; file_bytes: number },
): void {
  let end = data_start;
  let before = "the header";
  for (const { name, offset, bytes } of tensors) {
    if (offset < end) throw badWeights(path, `tensor ${name} overlaps ${before}`);
    if (offset > end) throw badWeights(path, `there are ${offset - end} bytes between ${before} and tensor ${name}`);
    end = offset + bytes;
    before = `tensor ${name}`;
    if (end > file_bytes) {
      throw badWeights(path, `${before} reaches to byte ${end}, but the file ends at ${file_bytes}: it is truncated`);
    }
  }
  if (end < file_bytes) throw badWeights(path, `${file_bytes - end} bytes follow the last tensor`);
}

function readMetadata(metadata: unknown, path: string): Record<string, string> {
  if (metadata === undefined) return {};
  if (isObject(metadata) && Object.values(metadata).every((value) => typeof value === "string")) {
    return metadata as Record<string, string>;
  }
  throw badWeights(path, "__metadata__ holds something that is no text");
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** `JSON.parse` keeps the last of two equal keys in silence. */
function refuseTwice(text: string, path: string): void {
  const seen = new Set<string>();
  let depth = 0;
  let last = "";
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === "{" || token === "[") depth += 1;
    else if (token === "}" || token === "]") depth -= 1;
    else if (token === ":" && depth === 1) {
      if (seen.has(last)) throw badWeights(path, `the header names tensor ${JSON.parse(last)} twice`);
      seen.add(last);
    } else last = token;
  }
}
