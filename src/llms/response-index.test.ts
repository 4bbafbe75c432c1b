import { expect, test } from "vitest";
import { sha256 } from "../lib/hash.ts";
import { ResponseIndex } from "./response-index.ts";

test("holds a hundred thousand keys, each at the place it was first put, and no other", () => {
  const index = new ResponseIndex();
  const place = (number: number) => ({ segment: number % 3, offset: number * 40_000, length: number + 1 });
  for (let number = 0; number < 100_000; number += 1) index.add(sha256(`${number}`), place(number));

  let found = 0;
  let strangers = 0;
  for (let number = 0; number < 100_000; number += 1) {
    const at = index.get(sha256(`${number}`));
    const expected = place(number);
    if (at?.segment === expected.segment && at.offset === expected.offset && at.length === expected.length) found += 1;
    if (index.get(sha256(`not ${number}`)) !== undefined) strangers += 1;
  }

  expect(index.size).toBe(100_000);
  expect(found).toBe(100_000);
  expect(strangers).toBe(0);
});

test("the first place of a key stays", () => {
  const index = new ResponseIndex();
  const key = sha256("a");

  expect(index.add(key, { segment: 0, offset: 1, length: 2 })).toBe(true);
  expect(index.add(key, { segment: 9, offset: 9, length: 9 })).toBe(false);
  expect(index.get(key)).toEqual({ segment: 0, offset: 1, length: 2 });
  expect(index.size).toBe(1);
});

test("keys whose slots collide are told apart", () => {
  const index = new ResponseIndex();
  const keys = ["00000000", "00000001", "ffffffff"].map((high) => `${high}00000000${"0".repeat(48)}`);
  for (const [number, key] of keys.entries()) index.add(key, { segment: number, offset: 0, length: 1 });

  expect(keys.map((key) => index.get(key)?.segment)).toEqual([0, 1, 2]);
});
