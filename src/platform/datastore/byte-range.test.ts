import { expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { byteRange } from "./byte-range.ts";

test("the forms of a range", () => {
  expect(byteRange("bytes=0-0", 10)).toEqual({ from: 0, to: 0 });
  expect(byteRange("bytes=4-", 10)).toEqual({ from: 4, to: 9 });
  expect(byteRange("bytes=4-99", 10)).toEqual({ from: 4, to: 9 });
  expect(byteRange("bytes=-3", 10)).toEqual({ from: 7, to: 9 });
  expect(byteRange("bytes=-99", 10)).toEqual({ from: 0, to: 9 });
  expect(byteRange("bytes=10-", 10)).toBe("none");
  expect(byteRange("bytes=-0", 10)).toBe("none");
  expect(byteRange("bytes=0-0", 0)).toBe("none");
});

test("what is no single range is everything", () => {
  const headers = [undefined, "", "bytes=-", "bytes=5-4", "bytes=0-1,4-5", "items=0-1", "bytes=a-b", "bytes=0x1-2"];
  expect(headers.map((header) => byteRange(header, 10))).toEqual(headers.map(() => undefined));
});

test("a range lies within the file, whatever is asked for", () => {
  const random = seededRandom(1);
  const characters = "019-----, ";
  let ranges = 0;
  for (let round = 0; round < 10_000; round += 1) {
    const size = Math.floor(random() * 20);
    const tail = Array.from({ length: Math.floor(random() * 6) }, () => characters[Math.floor(random() * 10)]).join("");
    const range = byteRange(`bytes=${tail}`, size);
    if (typeof range !== "object") continue;
    ranges += 1;
    expect(range.from).toBeGreaterThanOrEqual(0);
    expect(range.to).toBeGreaterThanOrEqual(range.from);
    expect(range.to).toBeLessThan(size);
  }
  expect(ranges).toBeGreaterThan(500);
});
