// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts under test hold variables
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { seedRegistry } from "./__fixtures__/registry.ts";
import { configJsonSchema } from "./json-schema.ts";

const schema = configJsonSchema(seedRegistry());

function errorsOf(yaml: string): string[] {
  const check = new Ajv2020({ strict: true, allErrors: true, validateFormats: false }).compile(schema);
  return check(parse(yaml)) ? [] : (check.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

test("the schema is draft 2020-12, and strict validators take it", () => {
  expect(schema.$schema).toBe("https://json-schema.org/draft/2020-12/schema");
  expect(JSON.stringify(schema)).toContain('"const":"dpo_traj_builder"');
  expect(JSON.stringify(schema)).not.toContain('"ref":');
  expect(errorsOf("llms: {a: {_type: openai, model_name: m, temperature: 0.5}}\nplatform: embedded\n")).toEqual([]);
});

test("a slip in a key, a type or a value is found", () => {
  expect(errorsOf("llms: {a: {_type: openai, model_nam: m}}")).not.toEqual([]);
  expect(errorsOf("llms: {a: {_type: opnai, model_name: m}}")).not.toEqual([]);
  expect(errorsOf("llms: {a: {_type: openai, model_name: m, temperature: hot}}")).not.toEqual([]);
  expect(errorsOf("evl: {}")).not.toEqual([]);
  expect(errorsOf("split: {by: nobody}")).not.toEqual([]);
});

test("a variable may stand where a number, a choice or an address is wanted", () => {
  expect(
    errorsOf(
      'llms: {a: {_type: openai, model_name: m, temperature: "${T}", base_url: "${URL:-http://h}"}}\nsplit: {by: "${BY}"}',
    ),
  ).toEqual([]);
});
