import { z } from "zod";
import { REF_SECTIONS, type RefKind } from "../registry/refs.ts";
import type { Kind, Registered, Registry } from "../registry/registry.ts";
import { optionsSchema } from "./components.ts";

/** One option of a component, in words. */
export interface OptionDescription {
  name: string;
  /** `integer`, `"a" | "b"`, `string | null`, `number[]`, `name of an llm`. */
  type: string;
  /** Absent when there is none. */
  default?: unknown;
  required: boolean;
  description: string;
  /** Of an object, or of a list of objects: its own. */
  options?: OptionDescription[];
}

/** What `info components` says of a component. */
export interface ComponentDescription {
  kind: Kind;
  type: string;
  description: string;
  /** Who registered it. */
  source: string;
  options: OptionDescription[];
}

export type JsonSchema = Record<string, unknown>;

/** The components of a table, sorted; `query` is looked for in types, descriptions and options' names. */
export function describeComponents(
  registry: Registry,
  { kind, query }: { kind?: Kind | undefined; query?: string | undefined } = {},
): ComponentDescription[] {
  const wanted = query?.trim().toLowerCase() ?? "";
  return registry
    .list(kind)
    .map(describeComponent)
    .filter(({ type, description, options }) =>
      [type, description, ...namesOf(options)].some((text) => text.toLowerCase().includes(wanted)),
    )
    .sort((a, b) => compare(a.kind, b.kind) || compare(a.type, b.type));
}

function namesOf(options: readonly OptionDescription[]): string[] {
  return options.flatMap(({ name, options: inner = [] }) => [name, ...namesOf(inner)]);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function describeComponent(registered: Registered): ComponentDescription {
  const { kind, type, source, component } = registered;
  const schema = z.toJSONSchema(optionsSchema(registered), { io: "input", unrepresentable: "any" }) as JsonSchema;
  return { kind, type, description: component.description ?? "", source, options: optionsOf(schema) };
}

function optionsOf(schema: JsonSchema): OptionDescription[] {
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>).map(([name, option]) => {
    const inner = objectIn(option);
    return {
      name,
      type: typeInWords(option),
      ...(option.default === undefined ? {} : { default: option.default }),
      required: required.includes(name),
      description: typeof option.description === "string" ? option.description : "",
      ...(inner && { options: optionsOf(inner) }),
    };
  });
}

/** The object with members of its own that an option may be, or be a list of. */
function objectIn(schema: JsonSchema): JsonSchema | undefined {
  if (schema.properties !== undefined) return schema;
  const branches = [schema.items, ...[schema.anyOf, schema.oneOf].flat()];
  for (const branch of branches) {
    const found = typeof branch === "object" && branch !== null ? objectIn(branch as JsonSchema) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function typeInWords(schema: JsonSchema): string {
  const { ref, enum: values, items, type } = schema;
  if (typeof ref === "string" && Object.hasOwn(REF_SECTIONS, ref)) return refInWords(ref as RefKind);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(" | ");
  const branches = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(branches)) return [...new Set(branches.map((branch) => typeInWords(branch)))].join(" | ");
  if (type === "array") {
    const item = typeof items === "object" && items !== null ? typeInWords(items as JsonSchema) : "any";
    return item.includes(" ") ? `(${item})[]` : `${item}[]`;
  }
  if (Array.isArray(type)) return type.join(" | ");
  return typeof type === "string" ? type : "any";
}

function refInWords(ref: RefKind): string {
  return `name of ${/^[aeiou]|^llm/.test(ref) ? "an" : "a"} ${ref.replaceAll("_", " ")}`;
}
