import { z } from "zod";
import { didYouMean } from "../lib/suggest.ts";
import { REF_SECTIONS, type RefKind, refKindOf } from "../registry/refs.ts";
import type { Kind } from "../registry/registry.ts";
import { type Entry, kindInWords } from "./components.ts";
import type { Faults } from "./config-error.ts";
import { formatPath, type Node, type Path, type Place, type ScalarNode, shown, toPlain } from "./node.ts";
import { alternativesOf, childSchema, type Schema } from "./schema-tree.ts";

/** A part of the tree that may name components. */
export interface Holder {
  schema: Schema;
  node: Node;
  path: Path;
}

interface Reference {
  kinds: RefKind[];
  scalar: ScalarNode;
  path: Path;
}

/** Follows every reference: it must lead to a component of the right kind, and no component may lead back to itself. */
export function checkReferences(entries: readonly Entry[], parts: readonly Holder[], faults: Faults): void {
  const edges = new Map<Entry, { to: Entry; reference: Reference }[]>();
  for (const entry of entries) {
    if (!entry.schema || !entry.node) continue;
    const found = [...referencesIn(entry.schema, entry.node, entry.path)];
    const targets = found.map((reference) => ({ to: follow(reference, entries, faults), reference }));
    edges.set(
      entry,
      targets.flatMap(({ to, reference }) => (to === undefined ? [] : [{ to, reference }])),
    );
  }
  for (const part of parts) {
    for (const reference of referencesIn(part.schema, part.node, part.path)) follow(reference, entries, faults);
  }
  findCycles(entries, edges, faults);
}

function* referencesIn(schema: Schema, node: Node, path: Path): Generator<Reference> {
  if (node.kind === "scalar") {
    if (typeof node.value !== "string" || node.unexpanded) return;
    const kinds = refKindsOf(schema, node.value);
    if (kinds.length > 0) yield { kinds, scalar: node, path };
    return;
  }
  const value = toPlain(node);
  const children =
    node.kind === "list"
      ? [...node.items.entries()]
      : [...node.entries].map(([key, entry]) => [key, entry.node] as const);
  for (const [key, child] of children) {
    const inner = childSchema(schema, key, value);
    if (inner !== undefined) yield* referencesIn(inner, child, [...path, key]);
  }
}

/** The kinds a text may name; none where the schema takes it as a text of its own. */
function refKindsOf(schema: Schema, value: string): RefKind[] {
  const direct = refKindOf(schema);
  if (direct !== undefined) return [direct];
  const kinds: RefKind[] = [];
  for (const alternative of alternativesOf(schema)) {
    const kind = refKindOf(alternative);
    if (kind !== undefined) kinds.push(kind);
    else if (z.safeParse(alternative, value).success) return [];
  }
  return kinds;
}

function fits(wanted: RefKind, kind: Kind): boolean {
  return wanted === kind || (wanted === "function" && kind === "workflow");
}

function follow({ kinds, scalar, path }: Reference, entries: readonly Entry[], faults: Faults): Entry | undefined {
  const name = scalar.text;
  const sections = new Set<string>(kinds.map((kind) => REF_SECTIONS[kind]));
  const near = entries.filter((entry) => sections.has(entry.section));
  const found = near.filter((entry) => entry.name === name);
  // What a component of an unknown type is, nobody can say: that fault is told already.
  const right = found.find(({ registered }) => !registered || kinds.some((kind) => fits(kind, registered.kind)));
  if (right) return right;

  const wanted = [...new Set(kinds.map(kindInWords))].join(" or ");
  const usable = near
    .filter(({ registered }) => !registered || kinds.some((kind) => fits(kind, registered.kind)))
    .map((entry) => entry.name);
  const wrong = found[0]?.registered;
  const hint = didYouMean(name, usable);
  const list = usable.length === 0 ? undefined : `there: ${usable.join(", ")}`;
  if (wrong) {
    const message = `"${shown(scalar)}" is ${kindInWords(wrong.kind)}, not ${wanted}.${hint}`;
    faults.add({ code: "wrong_reference", place: scalar.place, path, message, fix: list });
    return undefined;
  }
  const elsewhere = entries.find((entry) => entry.name === name && entry.path.length > 1);
  const message = `there is no ${wanted.replace(/^an? /, "")} "${shown(scalar)}" under ${[...sections].join(" or ")}.${hint}`;
  const fix = elsewhere ? `that name is under ${formatPath(elsewhere.path.slice(0, -1))}` : list;
  faults.add({ code: "unknown_reference", place: scalar.place, path, message, fix });
  return undefined;
}

function findCycles(
  entries: readonly Entry[],
  edges: Map<Entry, { to: Entry; reference: { scalar: { place: Place }; path: Path } }[]>,
  faults: Faults,
): void {
  const done = new Set<Entry>();
  const walk = (entry: Entry, chain: readonly Entry[]): void => {
    for (const { to, reference } of edges.get(entry) ?? []) {
      const start = chain.indexOf(to);
      if (start !== -1) {
        const cycle = [...chain.slice(start), to].map(({ path }) => formatPath(path)).join(" -> ");
        const message = `these name each other in a circle: ${cycle}`;
        faults.add({ code: "reference_cycle", place: reference.scalar.place, path: reference.path, message });
      } else if (!done.has(to)) walk(to, [...chain, to]);
    }
    done.add(entry);
  };
  for (const entry of entries) if (!done.has(entry)) walk(entry, [entry]);
}
