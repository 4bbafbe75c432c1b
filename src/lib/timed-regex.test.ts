import { expect, test } from "vitest";
import { timedRegex } from "./timed-regex.ts";

test.each([/b(c)/, /(\w+)\s+(\d+)/i])("finds the first match of %s", (regex) => {
  for (const text of ["abc", "x  12 y 13", "nothing"]) {
    expect(timedRegex(regex)(text)[0] ?? null).toEqual(regex.exec(text));
  }
});

test.each([/\d/g, /\d+\.?\d*/g])("with the flag g, finds all matches of %s, each time anew", (regex) => {
  const find = timedRegex(regex);

  for (const _ of [1, 2]) expect(find("1 a 2 b 3").map(([match]) => match)).toEqual(["1", "2", "3"]);
  expect(find("none")).toEqual([]);
});

test("a pattern that would run for years is stopped, and says so", () => {
  const find = timedRegex(/^(a+)+$/, 50);

  expect(() => find(`${"a".repeat(60)}b`)).toThrow(expect.objectContaining({ code: "regex_timeout" }));
  expect(find("aaa")[0]?.[0]).toBe("aaa");
});
