import { type PairwrightError, usageError } from "../../lib/errors.ts";

/** The values of one JSON object of a config.json, each read with its kind checked; a fault names file and key. */
export interface ConfigFields {
  /** The file, for errors. */
  readonly where: string;
  /** A key with the objects around it: `rope_scaling.factor`. */
  path(key: string): string;
  /** Whether the key is there with another value than null, which means "not set" in a config.json. */
  has(key: string): boolean;
  /** A whole number above zero. Without a default the key is required. */
  count(key: string, preset?: number): number;
  /** A finite number above zero. Without a default the key is required. */
  positive(key: string, preset?: number): number;
  flag(key: string, preset: boolean): boolean;
  text<T extends string | null>(key: string, preset: T): string | T;
  /** An object inside, or null where it is not set. */
  object(key: string): ConfigFields | null;
  list(key: string): readonly unknown[] | null;
  /** The value as it stands. */
  value(key: string): unknown;
}

/** Looks at `raw` as the object of `where`; `above` is the key under which it stands there. */
export function configFields(raw: Record<string, unknown>, where: string, above = ""): ConfigFields {
  const path = (key: string) => (above === "" ? key : `${above}.${key}`);
  const has = (key: string) => raw[key] !== undefined && raw[key] !== null;
  function read<T>(key: string, preset: T | undefined, wanted: string, take: (value: unknown) => T | undefined): T {
    if (!has(key)) {
      if (preset !== undefined) return preset;
      throw badConfig(where, `${path(key)} is missing`);
    }
    const value = take(raw[key]);
    if (value === undefined) throw badConfig(where, `${path(key)} is ${short(raw[key])}; ${wanted} was expected`);
    return value;
  }
  return {
    where,
    path,
    has,
    value: (key) => raw[key],
    count: (key, preset) => read(key, preset, "a whole number above 0", countOf),
    positive: (key, preset) => read(key, preset, "a number above 0", positiveOf),
    flag: (key, preset) =>
      read(key, preset, "true or false", (value) => (typeof value === "boolean" ? value : undefined)),
    text: (key, preset) =>
      read<string | typeof preset>(key, preset, "a text", (value) => (typeof value === "string" ? value : undefined)),
    object: (key) =>
      has(key)
        ? configFields(
            read(key, undefined, "an object", (value) => (isObject(value) ? value : undefined)),
            where,
            path(key),
          )
        : null,
    list: (key) =>
      has(key)
        ? read(key, undefined, "a list", (value) => (Array.isArray(value) ? (value as unknown[]) : undefined))
        : null,
  };
}

/** A config.json that asks for what the engine does not do. */
export function unsupported(where: string, key: string, value: string, supported: string): PairwrightError {
  return usageError({
    code: "unsupported_model",
    where,
    what: `${key} is ${value}; ${supported} supported`,
    fix: "use a Llama, Qwen2 or Mistral model without it",
  });
}

/** A config.json that contradicts itself or lacks something. */
export function badConfig(where: string, what: string): PairwrightError {
  return usageError({
    code: "bad_model_config",
    where,
    what,
    fix: "mend the file, or copy it from the model's source",
  });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

function positiveOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined;
}

function short(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
