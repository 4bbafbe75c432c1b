import { expect, test } from "vitest";
import { normaliseArguments, splitOverride } from "./arguments.ts";
import { number, oneOf, shardOf, wholeNumber } from "./flags.ts";

test.each([
  [
    ["eval", "--config_file", "a_b.yml"],
    ["eval", "--config-file", "a_b.yml"],
  ],
  [["--result_json_path=$.a_b"], ["--result-json-path=$.a_b"]],
  [
    ["-o", "llms.a.model_name", "m_1", "--seed", "3"],
    ["--override=llms.a.model_name=m_1", "--seed", "3"],
  ],
  [["--override", "a.b=c=d"], ["--override=a.b=c=d"]],
  [
    ["run", "--", "--not_a_flag", "-o"],
    ["run", "--", "--not_a_flag", "-o"],
  ],
])("%j is understood as %j", (typed, meant) => {
  expect(normaliseArguments(typed)).toEqual(meant);
});

test("an override is its path and its value, which may hold an equals sign", () => {
  expect(splitOverride("a.b=c=d")).toEqual(["a.b", "c=d"]);
  expect(splitOverride("a.b=")).toEqual(["a.b", ""]);
});

test("numbers are checked, and the error names the flag as it is typed", () => {
  expect(wholeNumber({ maxFailures: "3" }, "maxFailures")).toBe(3);
  expect(number({}, "maxCost")).toBeUndefined();
  for (const bad of ["x", "", "-1", "1.5"]) {
    expect(() => wholeNumber({ maxFailures: bad }, "maxFailures")).toThrow(/^--max-failures: /);
  }
  expect(() => oneOf({ by: "row" }, "by", ["auto", "prompt"])).toThrow("one of auto, prompt");
});

test("a shard is I/N, both from 1", () => {
  expect(shardOf({ shard: "2/3" })).toEqual({ index: 2, of: 3 });
  for (const bad of ["0/3", "4/3", "1", "a/b"]) expect(() => shardOf({ shard: bad })).toThrow("--shard");
});
