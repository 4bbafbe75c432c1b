import { expect, test } from "vitest";
import { canonicalNumber, normaliseText } from "./text-match.ts";

test.each([
  ["case", "PARIS", "paris"],
  ["white space", "  New \n\t York ", "new york"],
  ["compatibility forms", "ﬁne Ａ", "fine a"],
  ["letters without a capital of their own", "Straße", "STRASSE"],
  ["closing punctuation", "Paris.", "paris!"],
  ["quotes and emphasis", "**“Paris”**", "'paris'"],
  ["brackets", "(B)", "b"],
])("texts that differ only in %s are equal", (_, one, other) => {
  expect(normaliseText(one)).toBe(normaliseText(other));
});

test.each([
  ["an article", "A", "the"],
  ["a sign", "-5", "5"],
  ["a percent sign", "5%", "5"],
  ["a currency", "$5", "5"],
  ["inner punctuation", "u.s.", "us"],
  ["nothing but punctuation", "?", "!"],
  ["a diacritic", "resume", "résumé"],
])("texts that differ in %s stay different", (_, one, other) => {
  expect(normaliseText(one)).not.toBe(normaliseText(other));
});

test.each([
  ["12", "12.0"],
  ["12", "+012"],
  ["1200", "1,200"],
  ["1.2e1", "12"],
  [".5", "0.50"],
  ["-3", "−3"],
  ["0", "-0.00"],
  ["1234567", "1,234,567"],
  ["12.", "12"],
  ["1e-3", "0.001"],
])("%s and %s are the same number", (one, other) => {
  expect(canonicalNumber(one)).toEqual(expect.any(String));
  expect(canonicalNumber(one)).toBe(canonicalNumber(other));
});

test.each([
  ["12", "-12"],
  ["12", "120"],
  ["0.12", "1.2"],
  ["12345678901234567890", "12345678901234567891"],
])("%s and %s are different numbers", (one, other) => {
  expect(canonicalNumber(one)).not.toBe(canonicalNumber(other));
});

test.each(["", ".", "-", "12 apples", "1,23", "1,2345", "twelve", "0x10", "e5", "1.2.3"])("%j is no number", (text) => {
  expect(canonicalNumber(text)).toBeUndefined();
});

test("long runs in the middle take linear time", () => {
  // Quadratic time would run into the test's own limit.
  expect(canonicalNumber(`1${"0".repeat(1_000_000)}1`)).toMatch(/1e0$/);
  expect(normaliseText(`a${".".repeat(1_000_000)}b`)).toHaveLength(1_000_002);
});
