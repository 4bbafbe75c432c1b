import type { Entry } from "./components.ts";
import { childOf, type Node, toPlain } from "./node.ts";
import { redact, type Secrets } from "./redact.ts";
import type { Holder } from "./references.ts";
import { fillDefaults } from "./schema-tree.ts";

/** A part that is no component, and what is still to be done to it when its defaults are in. */
export interface Part extends Holder {
  finish(filled: unknown): Record<string, unknown>;
}

/**
 * The configuration that counts, as a plain tree: bases, overrides and variables in, every default filled in, secrets
 * out. Reading it again gives the same configuration, keys apart.
 */
export function effectiveTree(
  entries: readonly Entry[],
  parts: readonly Part[],
  plugins: readonly string[],
  secrets: Secrets,
): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  if (plugins.length > 0) tree.plugins = [...plugins];
  for (const { path, schema, node, finish } of parts) put(tree, path, redact(finish(fill(schema, node)), secrets));
  for (const { path, registered, schema, node } of entries) {
    if (!registered || !schema || !node) continue;
    // One by one, for the name of a component says nothing of what it holds.
    put(tree, path, redact({ _type: registered.type, ...(fill(schema, node) as object) }, secrets));
  }
  return tree;
}

function fill(schema: Holder["schema"], node: Node): unknown {
  return hideVariables(fillDefaults(schema, toPlain(node)), node);
}

/** Shows the written text instead of a value that a secret variable is in, also where it became a number. */
function hideVariables(value: unknown, node: Node | undefined): unknown {
  if (node?.kind === "scalar") return node.redacted ?? value;
  if (node === undefined || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item, index) => hideVariables(item, childOf(node, index)));
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, hideVariables(member, childOf(node, key))]),
  );
}

function put(tree: Record<string, unknown>, path: readonly (string | number)[], value: unknown): void {
  let here = tree;
  for (const key of path.slice(0, -1)) {
    if (!Object.hasOwn(here, key)) define(here, String(key), {});
    here = here[String(key)] as Record<string, unknown>;
  }
  const last = String(path.at(-1));
  const old = Object.hasOwn(here, last) ? here[last] : undefined;
  define(here, last, typeof old === "object" && old !== null ? { ...old, ...(value as object) } : value);
}

/** Assignment would take `__proto__` for something else than a name. */
function define(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
