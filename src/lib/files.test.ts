import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { exists, fileSha256, writeFileWhole } from "./files.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-files-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("a file made of many pieces is there whole, folders included", async () => {
  const path = join(dir, "a/b/file.txt");
  async function* pieces() {
    for (let index = 0; index < 50_000; index += 1) yield `piece ${index} and some more text to fill the buffer\n`;
  }
  const sha256 = await writeFileWhole(path, pieces());
  expect(sha256).toBe(await fileSha256(path));

  const lines = (await readFile(path, "utf8")).split("\n");
  expect(lines).toHaveLength(50_001);
  expect(lines[49_999]).toBe("piece 49999 and some more text to fill the buffer");
});

test("when the source fails, the file that was there stays, and nothing half-written is left", async () => {
  const path = join(dir, "file.txt");
  await writeFile(path, "before");
  function* failing() {
    yield "half";
    throw new Error("the source broke");
  }
  await expect(writeFileWhole(path, failing())).rejects.toThrow("the source broke");

  expect(await readFile(path, "utf8")).toBe("before");
  expect(await readdir(dir)).toEqual(["file.txt"]);
});

test("the hash of a file is that of its bytes", async () => {
  const path = join(dir, "file.txt");
  await writeFile(path, "abc");
  expect(await fileSha256(path)).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("nothing is there, also below something that is no folder", async () => {
  await writeFile(join(dir, "file.txt"), "");
  expect(await exists(join(dir, "file.txt"))).toBe(true);
  expect(await exists(join(dir, "other"))).toBe(false);
  expect(await exists(join(dir, "file.txt/below"))).toBe(false);
});
