import { yamlText } from "../yaml-text.ts";

/** A value as the YAML of a configuration of OmegaConf, whose `${…}` would be looked up: here every text is what it says. */
export function omegaText(value: unknown): string {
  return yamlText(literal(value));
}

function literal(value: unknown): unknown {
  // Backslashes count only before what they escape.
  if (typeof value === "string") return value.replace(/(\\*)\$\{/g, "$1$1\\${");
  if (Array.isArray(value)) return value.map(literal);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, below]) => [key, literal(below)]));
}
