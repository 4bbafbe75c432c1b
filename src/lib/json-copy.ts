import { messageOf, PairwrightError } from "./errors.ts";

/** The value as JSON text. Throws `not_json` naming `where`, for a BigInt or a circle. */
export function jsonText(value: unknown, where: string): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new PairwrightError({
      code: "not_json",
      where,
      what: `it cannot be written as JSON: ${messageOf(cause, 100)}`,
      fix: "give numbers, texts, lists and plain objects; a BigInt or a circle has no JSON",
      cause,
    });
  }
}

/** The value as JSON would bring it back: a copy that no later change reaches. */
export function jsonCopy<T>(value: T, where: string): T {
  if (value === undefined || typeof value === "string" || typeof value === "boolean" || value === null) return value;
  const text = jsonText(value, where);
  return text === undefined ? (undefined as T) : (JSON.parse(text) as T);
}
