import { didYouMean } from "../lib/suggest.ts";
import type { Issue } from "./check-value.ts";
import { type Node, nodeAt, type Place, placeAt, toPlain } from "./node.ts";
import { knownKeys, type Schema, schemaAt } from "./schema-tree.ts";

/** A fault in words, and where below the checked value it is. */
export interface Explained {
  code: string;
  path: (string | number)[];
  place: Place;
  message: string;
  fix?: string;
}

const TYPES: Record<string, string> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "a map",
  record: "a map",
  null: "null",
};

/** Says what a schema found wrong, without ever quoting a value. One issue about several keys becomes several faults. */
export function explainIssue(issue: Issue, schema: Schema, root: Node): Explained[] {
  return explainBelow(issue, [], schema, root);
}

function explainBelow(issue: Issue, above: readonly PropertyKey[], schema: Schema, root: Node): Explained[] {
  const path = [...above, ...issue.path].map((key) => (typeof key === "number" ? key : String(key)));
  const node = nodeAt(root, path);
  const fault = (message: string): Explained[] => [
    { code: "invalid_value", path, place: placeAt(root, path), message },
  ];

  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(key, path, schema, root));
  if (node === undefined) return issue.code === "custom" ? fault(issue.message) : [missing(issue, path, root)];
  if (issue.code === "invalid_union") {
    const branch = usefulBranch(issue.errors);
    if (branch) return branch.flatMap((inner) => explainBelow(inner, path, schema, root));
    if (issue.errors.length === 0) return fault(oneOf(knownDiscriminators(issue), node));
    const types = issue.errors.flat().map((inner) => wantedBy(inner));
    return fault(`expected ${orList(types)}, got ${describe(node)}`);
  }
  if (issue.code === "invalid_element" || issue.code === "invalid_key") {
    const inner = issue.issues.flatMap((each) => explainBelow({ ...each, path: [] }, path, schema, root));
    return inner.map((each) => ({ ...each, path }));
  }
  if (issue.code === "invalid_value") return fault(oneOf(issue.values, node));
  if (issue.code === "invalid_type") {
    const hint = node.kind === "scalar" && node.value === null ? ": give it a value, or leave the key out" : "";
    return fault(`expected ${wantedBy(issue)}, got ${describe(node)}${hint}`);
  }
  return fault(sizeOf(issue) ?? decapitalised(issue.message));
}

function unknownKey(key: string, path: (string | number)[], schema: Schema, root: Node): Explained {
  const parent = nodeAt(root, path);
  const known = schemaFor(schema, path, root);
  const place = (parent?.kind === "map" ? parent.entries.get(key)?.place : undefined) ?? placeAt(root, path);
  const free = known.filter((name) => parent?.kind !== "map" || !parent.entries.has(name));
  // A key that stands here already is meant only when no other is near: by an override, for instance.
  const hint = didYouMean(key, free) || didYouMean(key, known);
  const message = `unknown key.${hint}`;
  const list = known.join(", ");
  return {
    code: "unknown_key",
    path: [...path, key],
    place,
    message,
    ...(hint === "" && known.length > 0 ? { fix: `known here: ${list}` } : {}),
  };
}

function schemaFor(schema: Schema, path: (string | number)[], root: Node): string[] {
  const value = toPlain(root);
  const found = schemaAt(schema, path, value);
  const here = nodeAt(root, path);
  return found === undefined ? [] : knownKeys(found, here === undefined ? undefined : toPlain(here));
}

function missing(issue: Issue, path: (string | number)[], root: Node): Explained {
  const wanted = issue.code === "invalid_type" || issue.code === "invalid_value" ? `: ${wantedBy(issue)}` : "";
  return { code: "missing_value", path, place: placeAt(root, path), message: `is missing and must be given${wanted}` };
}

/** The branch of a union whose shape fits, and that has the least wrong with it. */
function usefulBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const reached = branches.filter((issues) =>
    issues.every((issue) => issue.path.length > 0 || (issue.code !== "invalid_type" && issue.code !== "invalid_value")),
  );
  // A literal that differs, such as a `kind`, means that another branch was meant.
  const weight = (issues: readonly Issue[]) =>
    issues.reduce((sum, issue) => sum + (issue.code === "invalid_value" && issue.values.length === 1 ? 100 : 1), 0);
  return reached.toSorted((a, b) => weight(a) - weight(b))[0];
}

function knownDiscriminators(issue: Issue): readonly unknown[] {
  return "options" in issue && Array.isArray(issue.options) ? issue.options : [];
}

function wantedBy(issue: Issue): string {
  if (issue.code === "invalid_type") return TYPES[issue.expected] ?? `a ${issue.expected}`;
  if (issue.code === "invalid_value") return orList(issue.values.map((value) => JSON.stringify(value)));
  return decapitalised(issue.message);
}

function oneOf(values: readonly unknown[], node: Node): string {
  if (values.length === 0) return "this is none of the values that are allowed here";
  const known = values.filter((value) => typeof value === "string");
  const typed = node.kind === "scalar" && typeof node.value === "string" ? node.value : "";
  return `expected ${orList(values.map((value) => JSON.stringify(value)))}.${typed === "" ? "" : didYouMean(typed, known)}`;
}

function orList(words: readonly string[]): string {
  const each = [...new Set(words)];
  return each.length < 2 ? each.join("") : `${each.slice(0, -1).join(", ")} or ${each.at(-1)}`;
}

function describe(node: Node): string {
  if (node.kind === "list") return "a list";
  if (node.kind === "map") return "a map";
  if (node.value === null) return "nothing";
  return TYPES[typeof node.value] ?? "something else";
}

function sizeOf(issue: Issue): string | undefined {
  if (issue.code !== "too_small" && issue.code !== "too_big") return undefined;
  const [limit, bound] =
    issue.code === "too_small"
      ? [issue.minimum, issue.inclusive === false ? "more than" : "at least"]
      : [issue.maximum, issue.inclusive === false ? "less than" : "at most"];
  if (issue.origin === "number" || issue.origin === "int") return `must be ${bound} ${limit}`;
  if (issue.origin === "string" && issue.code === "too_small" && limit === 1) return "must not be empty";
  if (issue.origin === "string") return `must have ${bound} ${limit} characters`;
  if (issue.origin === "array") return `must have ${bound} ${limit} items`;
  return undefined;
}

function decapitalised(message: string): string {
  const bare = message.replace(/^Invalid input: /, "");
  return bare.charAt(0).toLowerCase() + bare.slice(1);
}
