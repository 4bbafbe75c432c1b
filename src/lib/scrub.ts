import type { Logger } from "./log.ts";

/** What stands where a secret stood. */
export const REDACTED = "[redacted]";

const CLASSES = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/];

/**
 * Whether a secret is looked for inside other text: it has at least 12 characters of two classes (small letters,
 * capitals, digits, others), or at least 20 of any. Anything less, such as the dummy `ollama`, may be a word of the
 * training data; it is redacted only where it is known to stand, as the value of `api_key`.
 */
export function looksLikeKey(secret: string): boolean {
  if (secret.length >= 20) return true;
  return secret.length >= 12 && CLASSES.filter((characters) => characters.test(secret)).length >= 2;
}

/**
 * A function that takes every one of these secrets that `looksLikeKey` out of a text, also in the form that JSON writes
 * it in. In a line of JSON only the values that are texts are changed: keys and structure stay what they are.
 */
export function scrubber(secrets: readonly string[]): (text: string) => string {
  // A text may hold JSON that holds JSON: the arguments of a tool call in a log line, for instance.
  const forms = inJson(inJson(secrets.filter(looksLikeKey))).sort((a, b) => b.length - a.length);
  if (forms.length === 0) return (text) => text;
  const inLines = inJson(forms);
  const clean = (text: string) => forms.reduce((rest, form) => rest.replaceAll(form, REDACTED), text);
  return (text) => {
    if (!inLines.some((form) => text.includes(form))) return text;
    return scrubbedJson(text, clean) ?? clean(text);
  };
}

/** The texts, and each as it stands inside a JSON string where that differs. */
function inJson(texts: readonly string[]): string[] {
  return [...new Set(texts.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]))];
}

/** Undefined for what is no object or list on a line of its own. */
function scrubbedJson(line: string, clean: (text: string) => string): string | undefined {
  if (!/^[{[]/.test(line) || line.includes("\n")) return undefined;
  try {
    // The reviver sees values alone, and defines `__proto__` like any other member.
    const cleaned: unknown = JSON.parse(line, (_key, value: unknown) =>
      typeof value === "string" ? clean(value) : value,
    );
    return JSON.stringify(cleaned);
  } catch {
    return undefined;
  }
}

/** A log whose lines go through `scrub` first. */
export function scrubbedLogger(log: Logger, scrub: (text: string) => string): Logger {
  return {
    debug: (line) => log.debug(scrub(line)),
    info: (line) => log.info(scrub(line)),
    warn: (line) => log.warn(scrub(line)),
  };
}
