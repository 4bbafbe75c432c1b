import { expect, test } from "vitest";
import { jsonFaultOffset, jsonValuesIn } from "./json-text.ts";

test.each([
  ["alone", '{"a":1}', [{ a: 1 }]],
  ["after and before prose", 'Well: {"a":{"b":[1]}} is it. Also [2].', [{ a: { b: [1] } }, [2]]],
  ["in a fence", '```json\n{"a":"}"}\n```', [{ a: "}" }]],
  ["with a quote that is escaped", '{"a":"\\"}"}', [{ a: '"}' }]],
  ["inside what is not JSON", '{not json {"a":1}}', [{ a: 1 }]],
  ["after an opening that never closes", '{ "oops {"a":1} [3]', [{ a: 1 }, [3]]],
  ["nowhere", "no brackets", []],
])("finds JSON values that stand %s", (_, text, values) => {
  expect([...jsonValuesIn(text)]).toEqual(values);
});

test("a text of opening brackets only does not take for ever", () => {
  expect([...jsonValuesIn("[".repeat(500_000))]).toEqual([]);
});

test.each([
  ["", 0],
  ["  ", 2],
  ["[1 2]", 3],
  ['{"a":}', 5],
  ['{"a":1,}', 7],
  ["[1,]", 3],
  ['[{"a":1}', 8],
  ["[1]]", 3],
  ["{]", 1],
  ["{1:2}", 1],
  ['{"a" 1}', 5],
  ['"open', 0],
  ["[01]", 2],
  ["nul", 0],
  ["1 1", 2],
  ['["a\nb"]', 1],
  [":", 0],
  ["[:]", 1],
  ["[,]", 1],
])("the fault of %j is at offset %d", (text, offset) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(jsonFaultOffset(text)).toBe(offset);
});

test.each([
  "1",
  "-0.5e+3",
  '"a\\u00e9\\n"',
  "null",
  "[]",
  "{}",
  ' [1, [], {} , {"a": [true, false], "b": {"c": null}}] ',
])("%j has no fault", (text) => {
  expect(() => JSON.parse(text)).not.toThrow();
  expect(jsonFaultOffset(text)).toBeUndefined();
});
