import { expect, test } from "vitest";
import { createBoundedCache } from "./bounded-cache.ts";

test("what is used stays, what is not used goes, and there are never more than twice as many as asked for", () => {
  const size = 10;
  const cache = createBoundedCache<number, string>(size);
  for (let key = 0; key < 1000; key += 1) {
    cache.set(key, `value ${key}`);
    expect(cache.get(0)).toBe("value 0");
    expect(cache.get(key)).toBe(`value ${key}`);
  }
  const there = Array.from({ length: 1000 }, (_, key) => cache.get(key)).filter((value) => value !== undefined);
  expect(there.length).toBeGreaterThanOrEqual(size / 2);
  expect(there.length).toBeLessThanOrEqual(2 * size);
  expect(cache.get(1)).toBeUndefined();
});
