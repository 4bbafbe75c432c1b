import { createRequire } from "node:module";
import type { Ajv, ErrorObject, Options, ValidateFunction } from "ajv";
import { messageOf } from "./errors.ts";

/** Says what is wrong with a value, its first fault only, or `undefined` when it fits. */
export type JsonSchemaCheck = (value: unknown) => string | undefined;

/** A schema made ready, or why it is none. */
export type CompiledJsonSchema = { check: JsonSchemaCheck } | { problem: string };

const require = createRequire(import.meta.url);

/**
 * Makes a JSON Schema ready. `$schema` chooses the draft: draft-07 (and 06), else 2020-12. Keywords that no draft has are
 * a problem, since most are slips. `format` is a remark and checks nothing, as 2020-12 has it; `$ref` stays inside.
 */
export function compileJsonSchema(schema: Record<string, unknown>): CompiledJsonSchema {
  try {
    const validate = createAjv(schema).compile(schema);
    return { check: (value) => firstFault(validate, value) };
  } catch (error) {
    return { problem: messageOf(error, 300) };
  }
}

function createAjv(schema: Record<string, unknown>): Ajv {
  const options: Options = { strict: false, strictSchema: true, validateFormats: false, logger: false };
  const declared = typeof schema.$schema === "string" ? schema.$schema : "";
  const old = /draft-0[67]/.test(declared);
  // Required when first used: loading it costs 50 ms, which every start of the program would pay.
  const { default: Constructor } = require(old ? "ajv" : "ajv/dist/2020.js") as { default: new (o: Options) => Ajv };
  const ajv = new Constructor(options);
  if (declared.includes("draft-06")) ajv.addMetaSchema(require("ajv/dist/refs/json-schema-draft-06.json"));
  ajv.addVocabulary(["example"]);
  return ajv;
}

function firstFault(validate: ValidateFunction, value: unknown): string | undefined {
  if (validate(value)) return undefined;
  const [fault] = validate.errors ?? [];
  return fault === undefined ? "does not fit the schema" : `${fault.instancePath || "the value"} ${sentence(fault)}`;
}

function sentence({ keyword, params, message = "does not fit" }: ErrorObject): string {
  if (keyword === "additionalProperties") return `must not have the property "${params.additionalProperty}"`;
  if (keyword === "enum" && Array.isArray(params.allowedValues)) {
    return `must be one of ${params.allowedValues.map((value: unknown) => JSON.stringify(value)).join(", ")}`;
  }
  return message;
}
