import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { forEachLine, readLineRange } from "./line-range.ts";
import { seededRandom } from "./random.ts";

test("ranges of any length give each line once, whole and with its place", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-ranges-"));
  const random = seededRandom(3);
  let looked = 0;
  for (let round = 0; round < 60; round += 1) {
    const lines = Array.from({ length: Math.floor(random() * 12) }, () => "x".repeat(Math.floor(random() * 9)));
    const text = lines.join("\n") + (random() < 0.5 && lines.length > 0 ? "\n" : "");
    const path = join(dir, `${round}`);
    await writeFile(path, text);
    const file = await open(path);
    const step = 1 + Math.floor(random() * 20);
    const found: string[] = [];
    let memory: Buffer = Buffer.alloc(1);
    for (let start = 0; start < text.length; start += step) {
      const range = { start, end: Math.min(text.length, start + step), size: text.length };
      const read = await readLineRange(file, range, memory);
      memory = read.memory;
      forEachLine(read.bytes, (line, at) => {
        expect(text.slice(read.offset + at, read.offset + at + line.length)).toBe(line.toString());
        found.push(line.toString());
        looked += 1;
      });
    }
    await file.close();
    const whole = text.endsWith("\n") ? text.slice(0, -1) : text;
    expect(found).toEqual(text === "" ? [] : whole.split("\n"));
  }
  expect(looked).toBeGreaterThan(200);
  await rm(dir, { recursive: true });
});

test("what a file grows by is not read", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-ranges-"));
  await writeFile(join(dir, "f"), "one\ntwo\nthree");
  const file = await open(join(dir, "f"));
  const { bytes } = await readLineRange(file, { start: 0, end: 6, size: 6 }, Buffer.alloc(4));
  expect(bytes.toString()).toBe("one\ntw");
  await file.close();
  await rm(dir, { recursive: true });
});
