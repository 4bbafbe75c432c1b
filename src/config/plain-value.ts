import { Schema } from "yaml";

const TAGS = new Schema({ schema: "core" }).tags;

/**
 * What YAML takes an unquoted text for: null, a boolean, a number, else the text itself. Never a list or a map, so a
 * variable's value cannot bring keys of its own.
 */
export function plainValue(text: string): string | number | boolean | null {
  for (const tag of TAGS) {
    if (!("resolve" in tag) || !("test" in tag) || tag.default !== true || tag.test?.test(text) !== true) continue;
    const value = (tag.resolve as (text: string, onError: () => void, options: object) => unknown)(
      text,
      () => undefined,
      {},
    );
    // Tags whose values are nodes carry them in `value`.
    const bare = typeof value === "object" && value !== null && "value" in value ? value.value : value;
    if (bare === null || typeof bare === "boolean" || typeof bare === "number") return bare;
  }
  return text;
}
