import { expect, test } from "vitest";
import { compileJsonSchema } from "./json-schema.ts";

function check(schema: Record<string, unknown>, value: unknown): string | undefined {
  const compiled = compileJsonSchema(schema);
  if ("problem" in compiled) throw new Error(compiled.problem);
  return compiled.check(value);
}

const person = {
  type: "object",
  properties: { age: { type: "integer", minimum: 0 }, kind: { enum: ["cat", "dog"] } },
  required: ["age"],
  additionalProperties: false,
};

test("says nothing of a value that fits, and names the place and the fault of one that does not", () => {
  expect(check(person, { age: 3 })).toBeUndefined();
  expect(check(person, { age: -1 })).toBe("/age must be >= 0");
  expect(check(person, {})).toContain("'age'");
  expect(check(person, [])).toBe("the value must be object");
  expect(check(person, { age: 1, sex: "f" })).toBe('the value must not have the property "sex"');
  expect(check(person, { age: 1, kind: "cow" })).toBe('/kind must be one of "cat", "dog"');
});

test("reads draft-07 and 2020-12, each with its own words for tuples", () => {
  const old = {
    $schema: "http://json-schema.org/draft-07/schema#",
    items: [{ type: "string" }],
    additionalItems: false,
  };
  const current = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    prefixItems: [{ type: "string" }],
    items: false,
  };
  for (const schema of [old, current]) {
    expect(check(schema, ["a"])).toBeUndefined();
    expect(check(schema, [1])).toBe("/0 must be string");
    expect(check(schema, ["a", 1])).toContain("must NOT have more than 1 items");
  }
  expect(check({ $schema: "http://json-schema.org/draft-06/schema#", const: 1 }, 2)).toContain(
    "must be equal to constant",
  );
});

test.each([
  ["a type that is none", { type: "strin" }],
  ["a keyword that is a slip", { type: "object", propertees: {} }],
  ["a reference to nowhere", { $ref: "#/$defs/gone" }],
  ["a draft that is not known", { $schema: "http://json-schema.org/draft-03/schema#" }],
])("%s is a problem, found before any value is looked at", (_, schema) => {
  expect(compileJsonSchema(schema)).toEqual({ problem: expect.stringMatching(/./) });
});

test("a format is a remark, not a rule", () => {
  expect(check({ type: "string", format: "email" }, "not an address")).toBeUndefined();
});
