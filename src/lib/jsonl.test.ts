import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Line, readJsonl, readLines } from "./jsonl.ts";

let dir = "";
let path = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-jsonl-"));
  path = join(dir, "x.jsonl");
});
afterEach(() => rm(dir, { recursive: true }));

async function linesOf(file: string): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of readLines(file)) lines.push(line);
  return lines;
}

test("lines come with number and place; empty ones are passed over; the last may be cut", async () => {
  await writeFile(path, "é1\n\nthird\ncut");
  const lines = await linesOf(path);
  expect(lines).toEqual([
    { text: "é1", number: 1, offset: 0, length: 3, complete: true },
    { text: "third", number: 3, offset: 5, length: 5, complete: true },
    { text: "cut", number: 4, offset: 11, length: 3, complete: false },
  ]);
});

test("lines longer than the buffer, and letters cut by its edge, come whole", async () => {
  const long = "ü".repeat(700_000);
  await writeFile(path, `${long}\nx\n${long}\n`);
  const lines = await linesOf(path);
  expect(lines.map(({ text }) => text.length)).toEqual([700_000, 1, 700_000]);
  expect(lines.every(({ text }) => !text.includes("\ufffd"))).toBe(true);
});

test("a line that is not JSON stops the read with its file and line", async () => {
  await writeFile(path, '{"a":1}\nnonsense\n');
  const read = async () => {
    for await (const { value } of readJsonl(path)) expect(value).toEqual({ a: 1 });
  };
  await expect(read()).rejects.toMatchObject({ code: "bad_line", where: `${path}:2` });
});
