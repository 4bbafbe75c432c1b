import { readFileSync } from "node:fs";
import { z } from "zod";
import { messageOf, usageError } from "../../lib/errors.ts";
import { compileJsonSchema, type JsonSchemaCheck } from "../../lib/json-schema.ts";
import { jsonFaultOffset, jsonValuesIn } from "../../lib/json-text.ts";
import type { Component } from "../../registry/registry.ts";
import type { ScoreResult } from "../../registry/workflow.ts";

const options = z
  .strictObject({
    schema: z.record(z.string(), z.unknown()).optional().describe("the JSON Schema itself (draft-07 or 2020-12)"),
    schema_file: z.string().min(1).optional().describe("or a JSON file that holds it"),
    allow_text_around: z
      .boolean()
      .default(false)
      .describe("take JSON from anywhere in the reply; else the reply is JSON, bare or in one fence, and nothing more"),
  })
  .superRefine(({ schema, schema_file }, context) => {
    if ((schema === undefined) === (schema_file === undefined)) {
      context.addIssue({ code: "custom", path: ["schema"], message: "give one of schema and schema_file" });
    }
    const compiled = schema && compileJsonSchema(schema);
    if (compiled && "problem" in compiled) {
      context.addIssue({ code: "custom", path: ["schema"], message: compiled.problem });
    }
  });

/** 1 when the reply is JSON that fits the schema, else 0 with the first fault as the reason. */
export const jsonSchema: Component<"scorer", typeof options> = {
  description: "1 when the reply is JSON that fits a JSON Schema, else 0.",
  options,
  build: ({ options, name, path }) => {
    const { schema, schema_file } = options;
    const check = schema_file === undefined ? ready(schema ?? {}, name) : fromFile(schema_file, path(schema_file));
    return ({ text }) => (options.allow_text_around ? scoreAnywhere(text, check) : scoreWhole(text, check));
  },
};

const FENCED = /^```[a-zA-Z]*[ \t]*\r?\n([\s\S]*?)\r?\n?```$/;

function scoreWhole(text: string, check: JsonSchemaCheck): ScoreResult {
  const trimmed = text.trim();
  const json = FENCED.exec(trimmed)?.[1] ?? trimmed;
  if (json.trim() === "") return { score: 0, reason: "the reply is empty" };
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return { score: 0, reason: `the reply is not JSON from character ${(jsonFaultOffset(json) ?? 0) + 1} on` };
  }
  return verdict(check(value));
}

/** Any value that fits will do; the reason is that of the last one, which is most likely the answer. */
function scoreAnywhere(text: string, check: JsonSchemaCheck): ScoreResult {
  const whole = scoreWhole(text, check);
  if (typeof whole === "object" && whole?.score === 1) return whole;
  let fault: string | undefined;
  for (const value of jsonValuesIn(text)) {
    fault = check(value);
    if (fault === undefined) return verdict(undefined);
  }
  return fault === undefined ? whole : verdict(fault);
}

function verdict(fault: string | undefined): ScoreResult {
  return fault === undefined ? { score: 1 } : { score: 0, reason: fault };
}

function ready(schema: Record<string, unknown>, where: string): JsonSchemaCheck {
  const compiled = compileJsonSchema(schema);
  if ("check" in compiled) return compiled.check;
  throw usageError({ code: "bad_json_schema", where, what: compiled.problem, fix: "mend the schema" });
}

function fromFile(written: string, path: string): JsonSchemaCheck {
  let schema: unknown;
  try {
    schema = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw usageError({
      code: "bad_json_schema",
      where: written,
      what: `the schema cannot be read: ${messageOf(cause, 200)}`,
      fix: "name a file that holds one JSON Schema",
      cause,
    });
  }
  if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) {
    return ready(schema as Record<string, unknown>, written);
  }
  throw usageError({
    code: "bad_json_schema",
    where: written,
    what: "a JSON Schema is an object",
    fix: "name a file that holds one",
  });
}
