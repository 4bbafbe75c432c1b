import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filesOfGlob, isGlob } from "./glob.ts";

test("a pattern names files by * and ? within names and ** over folders, in order, without hidden ones", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-glob-"));
  await mkdir(join(dir, "a/b"), { recursive: true });
  for (const name of [
    "x1.jsonl",
    "x2.jsonl",
    "x10.jsonl",
    "y.json",
    ".x3.jsonl",
    "a/x4.jsonl",
    "a/b/x5.jsonl",
    "x+.jsonl",
  ]) {
    await writeFile(join(dir, name), "");
  }
  const names = async (pattern: string) =>
    (await filesOfGlob(join(dir, pattern))).map((path) => path.slice(dir.length + 1));
  expect(await names("*.jsonl")).toEqual(["x+.jsonl", "x1.jsonl", "x10.jsonl", "x2.jsonl"]);
  expect(await names("x?.jsonl")).toEqual(["x+.jsonl", "x1.jsonl", "x2.jsonl"]);
  expect(await names("x+.*")).toEqual(["x+.jsonl"]);
  expect(await names("*/x*.jsonl")).toEqual(["a/x4.jsonl"]);
  expect(await names("**/x?.jsonl")).toEqual(["a/b/x5.jsonl", "a/x4.jsonl", "x+.jsonl", "x1.jsonl", "x2.jsonl"]);
  expect(await names("none/*.jsonl")).toEqual([]);
  expect(isGlob("a/b.jsonl")).toBe(false);
  await rm(dir, { recursive: true });
});
