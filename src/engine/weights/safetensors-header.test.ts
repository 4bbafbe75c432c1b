import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openTensorFile } from "./tensor-file.ts";

const dir = await mkdtemp(join(tmpdir(), "pairwright-safetensors-"));
let files = 0;

/** A file of this header and as many bytes of numbers, made by hand. */
async function fileOf(header: string | object, data: number | Uint8Array, length?: bigint): Promise<string> {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const first = Buffer.alloc(8);
  first.writeBigUInt64LE(length ?? BigInt(text.length));
  files += 1;
  const path = join(dir, `${files}.safetensors`);
  await writeFile(path, Buffer.concat([first, text, typeof data === "number" ? Buffer.alloc(data) : data]));
  return path;
}

const f32 = (shape: number[], data_offsets: number[]) => ({ dtype: "F32", shape, data_offsets });

test("tensors of all three kinds are read as float32, whatever their order in the header", async () => {
  const path = await fileOf(
    {
      c: { dtype: "BF16", shape: [1, 2], data_offsets: [10, 14] },
      a: f32([2], [0, 8]),
      b: { dtype: "F16", shape: [], data_offsets: [8, 10] },
      d: { dtype: "F32", shape: [0, 3], data_offsets: [14, 14] },
      __metadata__: { format: "pt" },
    },
    // 1.5 and -2 in float32; 0.5 in float16; 1 and -3 in bfloat16.
    Uint8Array.of(0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0, 0x00, 0x38, 0x80, 0x3f, 0x40, 0xc0),
  );
  await using file = await openTensorFile(path);

  expect(file.header.metadata).toEqual({ format: "pt" });
  expect([...file.header.tensors.keys()]).toEqual(["a", "b", "c", "d"]);
  expect([...(await file.read("a"))]).toEqual([1.5, -2]);
  expect([...(await file.read("b"))]).toEqual([0.5]);
  expect([...(await file.read("c"))]).toEqual([1, -3]);
  expect([...(await file.read("d"))]).toEqual([]);
});

test("a tensor bigger than the block it is read through is whole", async () => {
  const numbers = Uint16Array.from({ length: 5_000_011 }, (_, i) => i & 0x3fff);
  const path = await fileOf(
    { a: { dtype: "BF16", shape: [numbers.length], data_offsets: [0, numbers.byteLength] } },
    new Uint8Array(numbers.buffer),
  );
  await using file = await openTensorFile(path);
  const read = new Uint32Array((await file.read("a")).buffer);

  expect(read.length).toBe(numbers.length);
  expect(read.every((bits, i) => bits === (i & 0x3fff) << 16)).toBe(true);
});

describe("a damaged file is one error that names it and the tensor", () => {
  test.each<[string, string | object, number, string]>([
    ["a file cut short", { a: f32([4], [0, 16]) }, 12, "truncated"],
    ["bytes left over", { a: f32([4], [0, 16]) }, 20, "4 bytes follow the last tensor"],
    ["an overlap", { a: f32([4], [0, 16]), b: f32([4], [12, 28]) }, 28, "tensor b overlaps tensor a"],
    ["a gap", { a: f32([1], [0, 4]), b: f32([1], [8, 12]) }, 12, "4 bytes between tensor a and tensor b"],
    ["a gap at the start", { a: f32([1], [4, 8]) }, 8, "4 bytes between the header and tensor a"],
    ["too few bytes for the shape", { a: f32([2, 2], [0, 12]) }, 12, "tensor a: its data_offsets hold 12 bytes"],
    ["offsets the wrong way round", { a: f32([1], [4, 0]) }, 4, "tensor a: its data_offsets hold -4 bytes"],
    [
      "an unknown dtype",
      { a: { dtype: "F128", shape: [1], data_offsets: [0, 16] } },
      16,
      'tensor a: unknown dtype "F128"',
    ],
    ["a negative size", { a: f32([-1], [0, 4]) }, 4, "tensor a: its shape"],
    ["a shape beyond all numbers", { a: f32([1e9, 1e9], [0, 4]) }, 4, "tensor a: its data_offsets"],
    [
      "a name twice",
      `{"a":${JSON.stringify(f32([1], [0, 4]))},"a":${JSON.stringify(f32([1], [0, 4]))}}`,
      4,
      "names tensor a twice",
    ],
    ["an entry that is none", { a: 7 }, 0, "tensor a: its entry"],
    ["metadata that is no text", { __metadata__: { a: 1 } }, 0, "__metadata__"],
    ["a header that is no JSON", "{nonsense", 0, "not JSON"],
    ["a header that is no object", "[1]", 0, "no JSON object"],
  ])("%s", async (_name, header, data, message) => {
    const path = await fileOf(header, data);
    await expect(openTensorFile(path)).rejects.toMatchObject({ code: "bad_weights", where: path });
    await expect(openTensorFile(path)).rejects.toThrow(message);
  });

  test("lengths that cannot be", async () => {
    await expect(openTensorFile(await fileOf("{}", 0, 2n ** 63n))).rejects.toThrow("no safetensors file");
    await expect(openTensorFile(await fileOf("{}", 0, 500n))).rejects.toThrow(
      "truncated: its header alone needs 508 bytes",
    );
    const stub = join(dir, "stub.safetensors");
    await writeFile(stub, "abc");
    await expect(openTensorFile(stub)).rejects.toThrow("truncated: it has 3 bytes");
    await writeFile(stub, "");
    await expect(openTensorFile(stub)).rejects.toThrow("truncated: it has 0 bytes");
  });

  test("a colon and a brace inside a name are no structure", async () => {
    const path = await fileOf({ '{":': f32([1], [0, 4]), "}": f32([1], [4, 8]) }, 8);
    await using file = await openTensorFile(path);
    expect([...file.header.tensors.keys()]).toEqual(['{":', "}"]);
  });

  test("a dtype that cannot be read is an error only for who reads it", async () => {
    const path = await fileOf({ a: { dtype: "I64", shape: [1], data_offsets: [0, 8] } }, 8);
    await using file = await openTensorFile(path);
    await expect(file.read("a")).rejects.toThrow("tensor a is I64");
    await expect(file.read("b")).rejects.toThrow("tensor b is missing");
  });

  test("a file that is not there", async () => {
    await expect(openTensorFile(join(dir, "none.safetensors"))).rejects.toMatchObject({ code: "model_not_found" });
  });
});

test("every file that was cut anywhere is refused", async () => {
  const whole = await fileOf({ a: f32([2], [0, 8]), b: f32([1], [8, 12]) }, 12);
  const bytes = await readFile(whole);
  const cut = join(dir, "cut.safetensors");
  let refused = 0;
  for (let length = 0; length < bytes.length; length += 1) {
    await writeFile(cut, bytes.subarray(0, length));
    await expect(openTensorFile(cut)).rejects.toMatchObject({ code: "bad_weights" });
    refused += 1;
  }
  expect(refused).toBe(bytes.length);
});
