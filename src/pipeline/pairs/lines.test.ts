import { expect, test } from "vitest";
import { LineBuffer } from "./lines.ts";

test("each line's length is told in bytes, whatever letters it has and however many there are", () => {
  const told = new Map<number, number>();
  const buffer = new LineBuffer(16, (pair, bytes) => told.set(pair, bytes));
  const lines = Array.from({ length: 3000 }, (_, pair) =>
    pair % 500 === 7 ? "é“😀”\n" : `${"x".repeat(pair % 90)}\n`,
  );
  for (const [pair, line] of lines.entries()) buffer.add(line, pair * 2);
  expect(buffer.bytes().toString("utf8")).toBe(lines.join(""));
  expect([...told]).toEqual(lines.map((line, pair) => [pair * 2, Buffer.byteLength(line)]));

  buffer.clear();
  buffer.add("again\n", 0);
  expect(buffer.bytes().toString("utf8")).toBe("again\n");
  expect(told.get(0)).toBe(6);
});
