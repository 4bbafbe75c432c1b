import { expect, test } from "vitest";
import { KeyTable, keyOfHex } from "./key-table.ts";
import { seededRandom } from "./random.ts";

test("numbers keys in the order they come, and knows each again", () => {
  const random = seededRandom(3);
  const table = new KeyTable();
  const numbers = new Map<string, number>();
  for (let round = 0; round < 20_000; round += 1) {
    // Few values of each half, so that keys repeat and share halves.
    const [hi, lo] = [Math.floor(random() * 100) * 0x2000003, Math.floor(random() * 100) * 0x2000005];
    const name = `${hi >>> 0}/${lo >>> 0}`;
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    expect(table.add(hi, lo)).toBe(number);
  }
  expect(table.size).toBe(numbers.size);
  expect(numbers.size).toBeGreaterThan(5_000);
  for (const [name, number] of numbers) {
    const [hi = 0, lo = 0] = name.split("/").map(Number);
    expect(table.indexOf(hi, lo)).toBe(number);
  }
  expect(table.indexOf(1, 1)).toBe(-1);
});

test("a key is the first 64 bits of a digest", () => {
  expect(keyOfHex("ffffffff00000001abcd")).toEqual({ hi: 0xffffffff, lo: 1 });
});
