import { expect, test } from "vitest";
import { NumberReader } from "./number-reader.ts";
import { seededRandom } from "./random.ts";

const WRITTEN = [
  "0",
  "-1",
  "0.1",
  "0.30000000000000004",
  "1e+21",
  "1e-7",
  "1.7976931348623157e+308",
  "123456789012345680",
];
const OTHERWISE = [
  "1.0",
  "-0",
  "1e21",
  "1E-7",
  "0.10",
  "1e999",
  "100000000000000000000000000000000000000",
  "0.1000000000000000055",
];

test.each([
  [WRITTEN, true],
  [OTHERWISE, false],
])("numbers are read as JSON.parse reads them, and it is told whether they are written so: %j", (texts, isPlain) => {
  const reader = new NumberReader();
  // Twice: the second time they are known.
  for (const text of [...texts, ...texts]) {
    const bytes = Buffer.from(`[${text}]`);
    expect(reader.read(bytes, 1, bytes.length - 1)).toBe(JSON.parse(text));
    expect([text, reader.isPlain]).toEqual([text, isPlain]);
  }
});

test("numbers that take each other's place are still read right", () => {
  const random = seededRandom(1);
  const reader = new NumberReader();
  const texts = Array.from({ length: 3000 }, () => String(random()));
  for (const text of [...texts, ...texts]) expect(reader.read(Buffer.from(text), 0, text.length)).toBe(Number(text));
});
