import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openBulkWriter } from "./bulk-writer.ts";
import { ByteBuffer } from "./byte-sink.ts";
import { fileSha256 } from "./files.ts";
import { openLineCursor } from "./line-cursor.ts";
import { seededRandom } from "./random.ts";

const newPath = async () => join(await mkdtemp(join(tmpdir(), "pairwright-lib-")), "file");
const PARTS = ["é", "plain", "“quoted”", "🙂", "x".repeat(150), "", "日本語".repeat(40)];

test("parts of any size arrive in order and whole, as text and as bytes", async () => {
  const random = seededRandom(5);
  const path = await newPath();
  const writer = await openBulkWriter(path, { piece: 64, digest: true });
  const memory = new ByteBuffer(8);
  let expected = "";
  for (let round = 0; round < 2000; round += 1) {
    const part = PARTS[Math.floor(random() * PARTS.length)] ?? "";
    expected += part;
    for (const sink of [writer, memory]) {
      if (random() < 0.5) sink.write(part);
      else sink.writeBytes(Buffer.from(part));
    }
    const pressure = writer.pressure();
    if (pressure !== undefined) await pressure;
  }
  const { bytes, sha256 } = await writer.close();
  expect(await readFile(path, "utf8")).toBe(expected);
  expect(bytes).toBe(Buffer.byteLength(expected));
  expect(sha256).toBe(await fileSha256(path));
  expect(memory.bytes().toString("utf8")).toBe(expected);
  memory.clear();
  expect(memory.length).toBe(0);
});

test("memory that was given away and came back is used again, and what was in it is gone", () => {
  const memory = new ByteBuffer(4);
  memory.write("more than four");
  const given = structuredClone(memory.bytes().buffer, { transfer: [memory.bytes().buffer as ArrayBuffer] });
  expect(() => memory.bytes()).toThrow("detached");
  memory.useMemory(given as ArrayBuffer);
  memory.write("again");
  expect(memory.bytes().toString()).toBe("again");
  expect(memory.bytes().buffer).toBe(given);
});

test("lines go from file to file unread and unchanged", async () => {
  const [from, to] = [await newPath(), await newPath()];
  const lines = Array.from({ length: 3000 }, (_, place) => `${PARTS.join("")} ${place}\n`);
  await writeFile(from, lines.join(""));
  const writer = await openBulkWriter(to, { encoding: "latin1" });
  let count = 0;
  await using cursor = await openLineCursor(from);
  for (;;) {
    const line = cursor.take();
    if (line !== undefined) {
      writer.write(line);
      count += 1;
    } else if (!(await cursor.fill())) break;
  }
  await writer.close();
  expect(count).toBe(3000);
  expect(await readFile(to, "utf8")).toBe(lines.join(""));
});

test("a file that is there is not written over", async () => {
  const path = await newPath();
  await writeFile(path, "mine");
  await expect(openBulkWriter(path)).rejects.toMatchObject({ code: "EEXIST" });
  expect(await readFile(path, "utf8")).toBe("mine");
});
