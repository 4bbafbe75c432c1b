import { z } from "zod";

export type Schema = z.core.$ZodType;

/** The members of a schema's definition that this file reads; which are there depends on `type`. */
interface Definition {
  type: string;
  innerType?: Schema;
  getter?: () => Schema;
  in?: Schema;
  out?: Schema;
  shape?: Record<string, Schema>;
  catchall?: Schema;
  element?: Schema;
  valueType?: Schema;
  options?: readonly Schema[];
  items?: readonly Schema[];
  rest?: Schema | null;
  left?: Schema;
  right?: Schema;
  defaultValue?: unknown;
  values?: readonly unknown[];
}

function definition(schema: Schema): Definition {
  return schema._zod.def as unknown as Definition;
}

/** The schema inside optional, nullable, default, lazy and the like; of a pipe, the side that takes what is written. */
export function unwrap(schema: Schema): Schema {
  const def = definition(schema);
  if (def.type === "lazy" && def.getter) return unwrap(def.getter());
  if (def.type === "pipe" && def.in && def.out) {
    return unwrap(definition(def.in).type === "transform" ? def.out : def.in);
  }
  return def.innerType === undefined ? schema : unwrap(def.innerType);
}

/** The alternatives of a union, unions inside it included; one schema is its own alternative. */
export function alternativesOf(schema: Schema): Schema[] {
  const inner = unwrap(schema);
  const { options } = definition(inner);
  return options === undefined ? [inner] : options.flatMap(alternativesOf);
}

/** The alternative that a value is meant for: one that takes it, else the one that knows most of its keys. */
export function alternativeFor(schema: Schema, value: unknown): Schema {
  const all = alternativesOf(schema);
  const [only] = all;
  if (only !== undefined && all.length === 1) return only;
  const taking = all.find((option) => z.safeParse(option, value).success);
  if (taking) return taking;
  return all.reduce((best, option) => (likeness(option, value) > likeness(best, value) ? option : best));
}

function likeness(schema: Schema, value: unknown): number {
  const { shape, type } = definition(schema);
  if (Array.isArray(value)) return type === "array" || type === "tuple" ? 1 : 0;
  if (typeof value !== "object" || value === null) return type === typeof value ? 1 : 0;
  if (shape === undefined) return type === "record" ? 1 : 0;
  let points = 1;
  for (const [key, member] of Object.entries(value)) {
    const field = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (field === undefined) continue;
    // A matching literal, such as a `kind`, says more than any number of keys.
    points += definition(unwrap(field)).values?.includes(member) === true ? 100 : 1;
  }
  return points;
}

/** The schema of one member of a value, if the schema says anything about it. */
export function childSchema(schema: Schema, key: PropertyKey, value: unknown): Schema | undefined {
  const alternative = alternativeFor(schema, value);
  const { type, shape, catchall, element, valueType, items, rest, left, right } = definition(alternative);
  if (type === "object") return shape && Object.hasOwn(shape, key) ? shape[String(key)] : catchall;
  if (type === "array") return element;
  if (type === "record" || type === "map") return valueType;
  if (type === "tuple") return items?.[Number(key)] ?? rest ?? undefined;
  if (type === "intersection" && left && right) return childSchema(left, key, value) ?? childSchema(right, key, value);
  return undefined;
}

/** The keys that a schema knows for a value; none when it takes any. */
export function knownKeys(schema: Schema, value: unknown): string[] {
  const { type, shape, left, right } = definition(alternativeFor(schema, value));
  if (type === "intersection" && left && right) return [...knownKeys(left, value), ...knownKeys(right, value)];
  return Object.keys(shape ?? {});
}

/** The schema at a path of a value, if the schema reaches so far. */
export function schemaAt(schema: Schema, path: readonly PropertyKey[], value: unknown): Schema | undefined {
  let current: Schema | undefined = schema;
  let here: unknown = value;
  for (const key of path) {
    if (current === undefined) return undefined;
    current = childSchema(current, key, here);
    here = typeof here === "object" && here !== null ? (here as Record<PropertyKey, unknown>)[key] : undefined;
  }
  return current;
}

/**
 * What was written, with every default put in, as plain data. Unlike parsing it keeps what was written as it was, so
 * that the result can be read as a configuration again, and it works on values that do not parse.
 */
export function fillDefaults(schema: Schema, value: unknown): unknown {
  if (value === undefined) {
    const found = defaultOf(schema);
    return found === undefined ? undefined : fillDefaults(schema, found.value);
  }
  const alternative = alternativeFor(schema, value);
  if (Array.isArray(value)) {
    return value.map((item, index) => fillMember(childSchema(alternative, index, value), item));
  }
  if (typeof value !== "object" || value === null) return value;
  const members = new Map(Object.entries(value));
  for (const key of knownKeys(alternative, value)) if (!members.has(key)) members.set(key, undefined);
  const filled = [...members]
    .map(([key, member]) => [key, fillMember(childSchema(alternative, key, value), member)] as const)
    .filter(([, member]) => member !== undefined);
  return Object.fromEntries(filled);
}

function fillMember(schema: Schema | undefined, value: unknown): unknown {
  return schema === undefined ? value : fillDefaults(schema, value);
}

function defaultOf(schema: Schema): { value: unknown } | undefined {
  const def = definition(schema);
  if (def.type === "default" || def.type === "prefault") return { value: def.defaultValue };
  if (def.type === "pipe" && def.in) return defaultOf(def.in);
  return def.innerType === undefined ? undefined : defaultOf(def.innerType);
}
