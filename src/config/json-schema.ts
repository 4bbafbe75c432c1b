import { z } from "zod";
import type { Kind, Registry } from "../registry/registry.ts";
import { optionsSchema } from "./components.ts";
import type { JsonSchema } from "./describe.ts";
import { type ComponentSection, EvalGeneral, Finetuning, Platform, Plugins, SECTION_KINDS, Split } from "./schema.ts";

/** A value that an editor sees before its variables are put in. */
const VARIABLE = { type: "string", pattern: "\\$\\{[A-Za-z_]" };

/**
 * A JSON Schema (draft 2020-12) of the whole file, for editors: every `_type` of the table with its options. It checks
 * what can be seen in one file: no references, and no base files, which is why it requires nothing at the top.
 */
export function configJsonSchema(registry: Registry): JsonSchema {
  const named = (section: ComponentSection) => z.record(z.string(), componentSchema(section, registry));
  const schema = z.strictObject({
    base: z.string().optional().describe("the file that this one is laid over"),
    plugins: Plugins.optional(),
    platform: Platform.optional(),
    llms: named("llms").optional(),
    functions: named("functions").optional(),
    ttc_strategies: named("ttc_strategies").optional(),
    workflow: componentSchema("workflow", registry).optional(),
    eval: z
      .strictObject({
        general: EvalGeneral.extend({
          dataset: componentSchema("eval.general.dataset", registry).optional(),
        }).optional(),
        evaluators: named("eval.evaluators").optional(),
      })
      .optional(),
    trajectory_builders: named("trajectory_builders").optional(),
    trainers: named("trainers").optional(),
    trainer_adapters: named("trainer_adapters").optional(),
    finetuning: Finetuning.optional(),
    split: Split.optional(),
  });
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  return { ...(withVariables(json) as JsonSchema), title: "pairwright configuration" };
}

/** One alternative for each type of a section, told apart by `_type`; anything where the table has none. */
function componentSchema(section: ComponentSection, registry: Registry): z.ZodType {
  const kinds: readonly Kind[] = SECTION_KINDS[section];
  const byType = new Map(
    kinds
      .flatMap((kind) => registry.list(kind))
      .reverse()
      .map((registered) => [registered.type, registered]),
  );
  const [first, ...others] = [...byType.values()]
    .sort((a, b) => (a.type < b.type ? -1 : 1))
    .map((registered) => {
      const options = optionsSchema(registered).safeExtend({ _type: z.literal(registered.type) });
      const { description } = registered.component;
      return description === undefined ? options : options.describe(description);
    });
  if (first === undefined) return z.looseObject({ _type: z.string() });
  return z.discriminatedUnion("_type", [first, ...others]);
}

/** Lets a variable stand wherever something narrower than any text is wanted, and drops what is ours alone. */
function withVariables(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withVariables);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !(key === "ref" && typeof value === "string"))
      // Names of options are no keywords, and defaults, examples and the like are values.
      .map(([key, value]) => [key, withVariablesBelow(key, value)]),
  );
  if (!isNarrow(inner)) return inner;
  const { description, default: fallback, $schema, ...narrow } = inner;
  return {
    ...($schema === undefined ? {} : { $schema }),
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    anyOf: [narrow, VARIABLE],
  };
}

const VALUES = new Set(["default", "const", "enum", "examples", "required", "propertyNames"]);
const NAMED = new Set(["properties", "$defs", "patternProperties"]);

function withVariablesBelow(keyword: string, value: unknown): unknown {
  if (VALUES.has(keyword)) return value;
  if (!NAMED.has(keyword) || typeof value !== "object" || value === null) return withVariables(value);
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, name === "_type" ? member : withVariables(member)]),
  );
}

function isNarrow({ type, format, pattern, enum: values, maxLength, ...rest }: JsonSchema): boolean {
  if (type === "number" || type === "integer" || type === "boolean") return true;
  if (values !== undefined || "const" in rest) return true;
  return type === "string" && (format !== undefined || pattern !== undefined || maxLength !== undefined);
}
