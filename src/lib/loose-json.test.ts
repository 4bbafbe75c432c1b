import { expect, test } from "vitest";
import { parseLooseJson } from "./loose-json.ts";

test("NaN and Infinity, as Python writes them, are null; in strings they stay", () => {
  expect(parseLooseJson('{"a":NaN,"b":[-Infinity,Infinity,1],"c":"NaN \\" NaN","NaN":"\\\\"}')).toEqual({
    a: null,
    b: [null, null, 1],
    c: 'NaN " NaN',
    NaN: "\\",
  });
});

test("what is no JSON beside that is an error", () => {
  for (const text of ["", "{", "NaNa", '{"a":NaN', "nope", '"NaN'])
    expect(() => parseLooseJson(text)).toThrow(SyntaxError);
});
