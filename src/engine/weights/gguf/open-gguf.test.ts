import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { f32Bytes, ggufBytes, type TestGguf, type TestTensor } from "../../../../tests/support/gguf-file.ts";
import { openGguf } from "./open-gguf.ts";
import { parseGguf } from "./parse-gguf.ts";

const dir = await mkdtemp(join(tmpdir(), "pairwright-gguf-"));
let files = 0;
async function fileOf(content: TestGguf | Uint8Array): Promise<string> {
  files += 1;
  const path = join(dir, `${files}.gguf`);
  await writeFile(path, content instanceof Uint8Array ? content : ggufBytes(content));
  return path;
}

const tensor = (name: string, changes: Partial<TestTensor> = {}): TestTensor => ({
  name,
  shape: [2, 3],
  type: 0,
  data: f32Bytes(Float32Array.of(1, 2, 3, 4, 5, 6)),
  ...changes,
});

const SMALL: TestGguf = {
  metadata: {
    "general.name": { text: "små" },
    count: { u32: 7 },
    less: { i32: -7 },
    part: { f32: 0.5 },
    big: { u64: 2n ** 60n },
    fitting: { u64: 2n ** 40n },
    yes: { bool: true },
    words: { texts: ["a", "", "ä"] },
    numbers: { i32s: [1, -1] },
  },
  tensors: [
    tensor("a"),
    tensor("b", { shape: [3, 2] }),
    tensor("c", { shape: [32], type: 8, data: new Uint8Array(34).fill(0x11) }),
  ],
};

test("metadata of every kind and tensors, in versions 2 and 3", async () => {
  for (const version of [2, 3]) {
    await using file = await openGguf(await fileOf({ ...SMALL, version }));
    expect(Object.fromEntries(file.metadata)).toEqual({
      "general.name": "små",
      count: 7,
      less: -7,
      part: 0.5,
      big: 2n ** 60n,
      fitting: 2 ** 40,
      yes: true,
      words: ["a", "", "ä"],
      numbers: [1, -1],
    });
    expect([...file.tensors.values()].map(({ name, shape }) => [name, shape])).toEqual([
      ["a", [2, 3]],
      ["b", [3, 2]],
      ["c", [32]],
    ]);
    expect([...(await file.read("b"))]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(file.typeOf("c")).toBe("Q8_0");
    const [scale = 0] = await file.read("c");
    // 0x1111 as float16 is 1.0166015625 · 2^-11; the byte 0x11 is 17.
    expect(scale).toBe(Math.fround(17 * (1 + 0x111 / 1024) * 2 ** -11));
    await file.check();
  }
});

test("another alignment is kept to", async () => {
  const path = await fileOf({ ...SMALL, metadata: { "general.alignment": { u32: 64 } }, alignment: 64 });
  await using file = await openGguf(path);
  expect([...(await file.read("b"))]).toEqual([1, 2, 3, 4, 5, 6]);
});

test("a header longer than the first bytes asks for more, and is the same in the end", () => {
  const bytes = ggufBytes(SMALL);
  const file = { path: "x.gguf", file_bytes: bytes.length };
  const whole = parseGguf(bytes, file);
  let asked = 0;
  for (let size = 0; size < bytes.length; size += 1) {
    const part = parseGguf(bytes.subarray(0, size), file);
    if (part === null) asked += 1;
    else expect(part).toEqual(whole);
  }
  expect(asked).toBeGreaterThan(200);
});

test("a file that was cut anywhere is refused", async () => {
  const bytes = ggufBytes({ metadata: { a: { text: "b" }, c: { i32s: [1] } }, tensors: [tensor("a"), tensor("b")] });
  let refused = 0;
  for (let length = 0; length < bytes.length; length += 1) {
    const path = join(dir, "cut.gguf");
    await writeFile(path, bytes.subarray(0, length));
    await expect(openGguf(path)).rejects.toMatchObject({ code: "bad_gguf", where: path });
    refused += 1;
  }
  expect(refused).toBe(bytes.length);
});

describe("a faulty file is one error that names what is wrong", () => {
  const one = (changes: Partial<TestTensor>): TestGguf => ({
    metadata: {},
    tensors: [tensor("a", changes), tensor("b")],
  });
  function patched(at: number, bytes: number[]): Buffer {
    const whole = ggufBytes({ metadata: { k: { u32: 1 } }, tensors: [tensor("a")] });
    whole.set(bytes, at);
    return whole;
  }
  const many = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];

  test.each<[string, TestGguf | Uint8Array, string]>([
    ["no GGUF", Buffer.from("GGML and some more bytes"), "no GGUF file"],
    ["version 1", { ...SMALL, version: 1 }, "of version 1"],
    ["the other byte order", { ...SMALL, version: 0x0300_0000 }, "other byte order"],
    ["countless tensors", patched(8, many), "the number of tensors would be"],
    ["countless keys", patched(16, many), "the number of keys would be"],
    ["an endless name", patched(24, many), "the name of key 1 would be"],
    ["an unknown kind of value", patched(33, [99]), "key k has the unknown type 99"],
    ["too many dimensions", one({ shape: [1, 1, 1, 1, 6] }), "tensor a has 5 dimensions"],
    ["a dimension beyond all bounds", one({ shape: [2 ** 45] }), "has a dimension of"],
    ["an unaligned tensor", one({ offset: 8 }), "tensor a begins at 8, which is no multiple of 32"],
    [
      "overlapping tensors",
      { metadata: {}, tensors: [tensor("a"), tensor("b", { offset: 0 })] },
      "tensor b overlaps tensor a",
    ],
    ["a name twice", { metadata: {}, tensors: [tensor("a"), tensor("a")] }, "tensor a stands in it twice"],
    [
      "the last tensor beyond the end",
      { metadata: {}, tensors: [tensor("a", { shape: [2, 300] })] },
      "it is truncated",
    ],
    [
      "rows that are no blocks",
      one({ shape: [2, 16], type: 2, data: new Uint8Array(18) }),
      "tensor a has rows of 16 numbers",
    ],
    ["an odd alignment", { ...SMALL, metadata: { "general.alignment": { u32: 48 } } }, "general.alignment is 48"],
  ])("%s", async (_name, content, message) => {
    const path = await fileOf(content);
    await expect(openGguf(path)).rejects.toMatchObject({ code: "bad_gguf", where: path });
    await expect(openGguf(path)).rejects.toThrow(message);
  });

  test("a key twice", async () => {
    const bytes = ggufBytes({ metadata: { aa: { u32: 1 }, ab: { u32: 1 } }, tensors: [] });
    bytes[bytes.indexOf("ab") + 1] = 0x61;
    await expect(openGguf(await fileOf(bytes))).rejects.toThrow("key aa stands in it twice");
  });

  test("types that are not built are named", async () => {
    await expect(openGguf(await fileOf(one({ type: 17 })))).rejects.toMatchObject({ code: "unsupported_gguf" });
    await expect(openGguf(await fileOf(one({ type: 17 })))).rejects.toThrow("tensor a is IQ2_XS; F32, F16, Q4_0,");
    await expect(openGguf(await fileOf(one({ type: 200 })))).rejects.toThrow("tensor a is of ggml's type 200");
  });

  test("no file", async () => {
    await expect(openGguf(join(dir, "none.gguf"))).rejects.toMatchObject({ code: "model_not_found" });
  });
});

test("a file that is written meanwhile is noticed", async () => {
  const path = await fileOf(SMALL);
  await using file = await openGguf(path);
  await file.read("a");
  await writeFile(path, ggufBytes({ ...SMALL, tensors: [...SMALL.tensors, tensor("d")] }));
  await expect(file.check()).rejects.toMatchObject({ code: "model_changed" });
});
