import { expect, test } from "vitest";
import { Recent } from "./recent.ts";

test("the last keys are known, texts by what they say and objects as themselves, and older ones give way", () => {
  const recent = new Recent<unknown, number>();
  const object = {};
  expect(recent.get("a")).toBeUndefined();
  recent.add("a", 1);
  recent.add(object, 2);
  expect([recent.get(["a"].join("")), recent.get(object), recent.get({})]).toEqual([1, 2, undefined]);
  for (let place = 0; place < 100; place += 1) recent.add(`key ${place}`, place);
  expect([recent.get("a"), recent.get(object), recent.get("key 60")]).toEqual([undefined, undefined, undefined]);
  for (let place = 70; place < 100; place += 1) expect(recent.get(`key ${place}`)).toBe(place);

  recent.clear();
  expect(recent.get("key 99")).toBeUndefined();
  recent.add("key 99", 7);
  expect(recent.get("key 99")).toBe(7);
});
