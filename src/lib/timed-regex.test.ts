import { expect, test } from "vitest";
import { isPlainRegex, timedRegex } from "./timed-regex.ts";

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

test.each([
  ["(\\w|\\d)+$", "1".repeat(40)],
  ["(?:\\w|\\d){2,}$", "1".repeat(40)],
  ["(?:a|a?)+$", "a".repeat(40)],
  ["[(]?(?:\\w|[\\d)])*$", "1".repeat(40)],
  ["(?:(?:\\u{1,})\\u{1,}){1,}$", "u".repeat(40)],
  [`${"a?".repeat(32)}${"a".repeat(32)}$`, "a".repeat(48)],
  [`${"(a|a)".repeat(32)}$`, "a".repeat(32)],
])("whatever can match in many ways is stopped, however few its repetitions: ^%s", (source, text) => {
  const find = timedRegex(new RegExp(`^${source}`), 50);

  expect(() => find(`${text}-`)).toThrow(expect.objectContaining({ code: "regex_timeout" }));
});

test("a plain pattern is stopped too where the text is so long that its square is", () => {
  const find = timedRegex(/\d+x/, 50);

  expect(find("12 34x")[0]?.[0]).toBe("34x");
  expect(() => find("1".repeat(300_000))).toThrow(expect.objectContaining({ code: "regex_timeout" }));
});

test.each([/[A-D]$/, /\bscore\b/i, /yes|no/, /\d+?/g, /is (?<it>\w+)/, /\p{L}{2}/u, /^[(?|)*]+$/, /a\+\*\?/])(
  "%s is plain: it goes without the guard, which costs more than it does",
  (regex) => expect(isPlainRegex(regex)).toBe(true),
);

test.each([/(a)+/, /a+b+/, /(a|b)/, /(a)\1+/, /(?<it>a)\k<it>/, /\\+(b)\\+/, /u{2}u{3}/])("%s is not plain", (regex) =>
  expect(isPlainRegex(regex)).toBe(false),
);

test.each(["[[ab]--b]", "[a&&[ab]]"])("with sets inside sets nothing is plain: %s", (source) => {
  expect(isPlainRegex(new RegExp(source, "v"))).toBe(false);
});
