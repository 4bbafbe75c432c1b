import { expect, test } from "vitest";
import { calculate, formatNumber } from "./calculator.ts";

test.each([
  ["2 + 3 * 4", 14],
  ["(2 + 3) * 4", 20],
  ["2 - 3 - 4", -5],
  ["12 / 3 / 2", 2],
  ["2*-3", -6],
  ["--2", 2],
  ["-(1 + 2) * +2", -6],
  ["1 - -1", 2],
  [".5 + 1.", 1.5],
  ["\t3\n* 4 ", 12],
  ["6 × 7 ÷ 2 − 1", 20],
  ["((((((1))))))", 1],
  ["007", 7],
])("%s is %d", (expression, value) => {
  expect(calculate(expression)).toBe(value);
});

test.each([
  ["", "ends where a number should stand"],
  ["   ", "ends where a number should stand"],
  ["2 +", "ends where a number should stand"],
  ["(1 + 2", "the parenthesis at position 1 is never closed"],
  ["1 + 2)", 'unexpected ")" at position 6'],
  ["()", 'unexpected ")" at position 2'],
  ["2 3", 'unexpected "3" at position 3'],
  ["* 2", 'unexpected "*" at position 1'],
  ["2 ** 3", 'unexpected "*" at position 4'],
  ["1,000 * 2", 'unexpected "," at position 2'],
  ["1.2.3", 'unexpected ".3" at position 4'],
  ["20 % 3", 'unexpected "%" at position 4'],
  ["2e3", 'unexpected "e" at position 2'],
  ["process.exit()", 'unexpected "p" at position 1'],
  ["1 / (2 - 2)", "division by zero"],
])("%j is refused with a reason", (expression, reason) => {
  expect(() => calculate(expression)).toThrow(expect.objectContaining({ code: "bad_expression" }));
  expect(() => calculate(expression)).toThrow(reason);
});

test("sums that are too long or too large are refused, not left to the machine", () => {
  expect(() => calculate("(".repeat(100_000))).toThrow("longer than 500 characters");
  expect(() => calculate(Array(40).fill("9999999999").join("*"))).toThrow("the result is too large");
  expect(calculate(`${"(".repeat(240)}1${")".repeat(240)}`)).toBe(1);
});

test("results are written without the dust of binary fractions", () => {
  expect(formatNumber(calculate("0.1 + 0.2"))).toBe("0.3");
  expect(formatNumber(calculate("24 * 60 / 1000 * 10 * 30 * 0.32"))).toBe("138.24");
  expect(formatNumber(calculate("1 / 3"))).toBe("0.333333333333");
  expect(formatNumber(calculate("0 * -1"))).toBe("0");
});
