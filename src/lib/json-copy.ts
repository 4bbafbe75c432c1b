import { messageOf, PairwrightError } from "./errors.ts";

/** The value as JSON would bring it back: a copy that no later change reaches. Throws `not_json` naming `where`. */
export function jsonCopy<T>(value: T, where: string): T {
  if (value === undefined || typeof value === "string" || typeof value === "boolean" || value === null) return value;
  try {
    const text = JSON.stringify(value);
    return text === undefined ? (undefined as T) : (JSON.parse(text) as T);
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
