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
      [type, description, ...options.map((option) => option.name)].some((text) => text.toLowerCase().includes(wanted)),
    )
    .sort((a, b) => compare(a.kind, b.kind) || compare(a.type, b.type));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function describeComponent(registered: Registered): ComponentDescription {
  const { kind, type, source, component } = registered;
  const schema = z.toJSONSchema(optionsSchema(registered), { io: "input", unrepresentable: "any" }) as JsonSchema;
  const required = Array.isArray(schema.required) ? schema.required : [];
  const options = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>).map(
    ([name, option]): OptionDescription => ({
      name,
      type: typeInWords(option),
      ...(option.default === undefined ? {} : { default: option.default }),
      required: required.includes(name),
      description: typeof option.description === "string" ? option.description : "",
    }),
  );
  return { kind, type, description: component.description ?? "", source, options };
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
