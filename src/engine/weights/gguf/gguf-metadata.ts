import type { GgufFile } from "./open-gguf.ts";
import { badGguf, type GgufValue } from "./parse-gguf.ts";

/** The metadata of a GGUF file, each value read with its kind checked; a fault names file and key. */
export interface GgufMetadata {
  readonly path: string;
  has(key: string): boolean;
  /** A whole number of at least 0. Without a default the key is required. */
  count(key: string, preset?: number): number;
  number(key: string, preset?: number): number;
  flag(key: string, preset: boolean): boolean;
  text(key: string, preset?: string): string;
  /** Empty where the key is missing. */
  texts(key: string): string[];
  counts(key: string): number[];
  numbers(key: string): number[];
}

/** Looks at a file's metadata. */
export function ggufMetadata({ path, metadata }: Pick<GgufFile, "path" | "metadata">): GgufMetadata {
  function read<T>(key: string, preset: T | undefined, wanted: string, fits: (value: GgufValue) => boolean): T {
    const value = metadata.get(key);
    if (value === undefined) {
      if (preset !== undefined) return preset;
      throw badGguf(path, `key ${key} is missing`);
    }
    if (!fits(value)) throw badGguf(path, `key ${key} is ${describe(value)}; ${wanted} was expected`);
    return value as T;
  }
  const isCount = (value: GgufValue) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
  const isText = (value: GgufValue) => typeof value === "string";
  const all = (fits: (value: GgufValue) => boolean) => (value: GgufValue) => Array.isArray(value) && value.every(fits);
  return {
    path,
    has: (key) => metadata.has(key),
    count: (key, preset) => read(key, preset, "a whole number", isCount),
    number: (key, preset) => read(key, preset, "a number", (value) => Number.isFinite(value)),
    flag: (key, preset) => read(key, preset, "true or false", (value) => typeof value === "boolean"),
    text: (key, preset) => read(key, preset, "a text", isText),
    texts: (key) => read<string[]>(key, [], "a list of texts", all(isText)),
    numbers: (key) =>
      read<number[]>(
        key,
        [],
        "a list of numbers",
        all((value) => Number.isFinite(value)),
      ),
    counts: (key) => read<number[]>(key, [], "a list of whole numbers", all(isCount)),
  };
}

function describe(value: GgufValue): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "string" ? "a text" : String(value);
}
