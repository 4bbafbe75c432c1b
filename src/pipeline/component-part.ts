import type { ComponentConfig } from "../config/config.ts";
import { usageError } from "../lib/errors.ts";
import type { Kind, Registry } from "../registry/registry.ts";

/** Which component, and where its options were written, for errors. */
export interface PartPlace {
  kind: Kind;
  type: string;
  /** Its key; the type unless told. */
  name?: string;
  section?: string;
  where?: string;
}

/** A component with options that do not come from a checked configuration: checked here, with the place told. */
export function componentPart(
  registry: Registry,
  { kind, type, name = type, section = kind, where = `${section}.${name}` }: PartPlace,
  options: Record<string, unknown> = {},
): ComponentConfig {
  const component = registry.find(kind, type);
  if (!component) {
    throw usageError({
      code: "unknown_type",
      where,
      what: `there is no ${kind} of type "${type}"`,
      fix: `known are ${registry
        .list(kind)
        .map((known) => known.type)
        .join(", ")}; a plugin's is there once it is loaded with --plugin`,
    });
  }
  const parsed = component.component.options.safeParse(options);
  if (parsed.success) return { name, section, kind, type, options: parsed.data, component };
  const faults = parsed.error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": "));
  throw usageError({
    code: "config",
    where,
    what: faults.join("; "),
    fix: "see `pairwright info components` for what it takes",
  });
}
