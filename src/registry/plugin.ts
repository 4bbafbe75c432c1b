import type { Registry } from "./registry.ts";

const BRAND = Symbol.for("pairwright.plugin");

/** A plugin: a function that adds components to the table. */
export interface Plugin {
  readonly [BRAND]: true;
  register(registry: Registry): void | Promise<void>;
}

/** Marks a function as a plugin; the default export of a plugin file. */
export function definePlugin(register: (registry: Registry) => void | Promise<void>): Plugin {
  return { [BRAND]: true, register };
}

export function isPlugin(value: unknown): value is Plugin {
  return typeof value === "object" && value !== null && BRAND in value;
}
