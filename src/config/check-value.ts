import { z } from "zod";
import { childOf, holdsUnexpanded, type Node, nodeAt, type ScalarNode, toPlain } from "./node.ts";
import { plainValue } from "./plain-value.ts";
import { fillDefaults, type Schema } from "./schema-tree.ts";

export type Issue = z.core.$ZodIssue;
type IssuePath = readonly PropertyKey[];

/** A value that its schema takes, or what is wrong with it. */
export type Checked<T> = { data: T; issues: [] } | { data: undefined; issues: Issue[] };

/** Texts are typed once more at most per nesting: a list out of a text, then its items. */
const ROUNDS = 3;

/**
 * Checks a tree against a schema. A text from a variable or an override takes the type that the schema wants of it: the
 * tree is changed accordingly. Faults at values that still hold a `${…}` are left out, for their values are unknown.
 */
export function checkValue<S extends Schema>(schema: S, root: Node): Checked<z.output<S>> {
  let issues = failures(schema, root);
  for (let round = 0; round < ROUNDS && issues.length > 0; round++) {
    const changed = retype(schema, root, issues);
    issues = failures(schema, root);
    if (!changed) break;
  }
  const parsed = z.safeParse(schema, toPlain(root));
  if (parsed.success) return { data: parsed.data, issues: [] };
  const known = parsed.error.issues.filter((issue) => !isAboutUnexpanded(issue, root));
  if (known.length > 0) return { data: undefined, issues: known };
  return { data: fillDefaults(schema, toPlain(root)) as z.output<S>, issues: [] };
}

function failures(schema: Schema, root: Node): Issue[] {
  const parsed = z.safeParse(schema, toPlain(root));
  return parsed.success ? [] : parsed.error.issues;
}

/** Tries the other type of every text at fault, and takes it back where that did not help. */
function retype(schema: Schema, root: Node, issues: Issue[]): boolean {
  let changed = false;
  const tried = new Map<ScalarNode, ScalarNode["value"]>();
  for (const [path, expected] of faultsByPath(issues)) {
    const node = nodeAt(root, path);
    if (node?.kind !== "scalar" || !node.retypable || tried.has(node)) continue;
    if (expected.has("array") && node.place.override !== undefined && path.length > 0) {
      replaceAt(root, path, listFrom(node));
      changed = true;
      continue;
    }
    for (const other of otherTypes(node)) {
      if (tried.has(node)) break;
      tried.set(node, node.value);
      node.value = other;
    }
  }
  const after = new Set([...faultsByPath(failures(schema, root))].map(([path]) => path.join("\0")));
  for (const [path] of faultsByPath(issues)) {
    const node = nodeAt(root, path);
    const before = node?.kind === "scalar" ? tried.get(node) : undefined;
    if (node?.kind !== "scalar" || before === undefined) continue;
    if (after.has(path.join("\0"))) node.value = before;
    else changed = true;
  }
  return changed;
}

function otherTypes(node: ScalarNode): ScalarNode["value"][] {
  if (typeof node.value !== "string") return [node.text];
  const typed = plainValue(node.text);
  return typed === node.value ? [] : [typed];
}

/** Each path at fault, those inside the branches of a union included, with the types wanted there. */
function faultsByPath(issues: readonly Issue[], above: IssuePath = []): [IssuePath, Set<string>][] {
  const found = new Map<string, [IssuePath, Set<string>]>();
  const add = (path: IssuePath, wanted: Iterable<string>) => {
    const entry = found.get(path.join("\0")) ?? [path, new Set<string>()];
    for (const type of wanted) entry[1].add(type);
    found.set(path.join("\0"), entry);
  };
  for (const issue of issues) {
    const path = [...above, ...issue.path];
    add(path, issue.code === "invalid_type" ? [issue.expected] : []);
    if (issue.code !== "invalid_union") continue;
    for (const branch of issue.errors) for (const [inner, wanted] of faultsByPath(branch, path)) add(inner, wanted);
  }
  return [...found.values()];
}

/** `a, b` as a list: how an override gives several values without brackets. */
function listFrom(node: ScalarNode): Node {
  const items = node.text === "" ? [] : node.text.split(",").map((item) => item.trim());
  const scalar = (text: string): Node => ({ ...node, text, value: plainValue(text) });
  return { kind: "list", place: node.place, items: items.map(scalar) };
}

function replaceAt(root: Node, path: IssuePath, replacement: Node): void {
  const parent = nodeAt(root, path.slice(0, -1));
  const key = path.at(-1);
  if (key === undefined || typeof key === "symbol" || childOf(parent, key) === undefined) return;
  if (parent?.kind === "list") parent.items[Number(key)] = replacement;
  const entry = parent?.kind === "map" ? parent.entries.get(String(key)) : undefined;
  if (parent?.kind === "map" && entry) parent.entries.set(String(key), { place: entry.place, node: replacement });
}

function isAboutUnexpanded(issue: Issue, root: Node): boolean {
  if (issue.code === "unrecognized_keys") return false;
  const node = nodeAt(root, issue.path);
  return node !== undefined && holdsUnexpanded(node);
}
