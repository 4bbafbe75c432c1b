import type { z } from "zod";
import { didYouMean } from "../lib/suggest.ts";
import type { Kind, Registered, Registry } from "../registry/registry.ts";
import { checkValue } from "./check-value.ts";
import type { Faults } from "./config-error.ts";
import { explainIssue } from "./explain-issue.ts";
import { formatPath, type MapNode, type Node, type Path, type Place, type ScalarNode } from "./node.ts";
import { type ComponentSection, SECTION_KINDS } from "./schema.ts";
import type { Schema } from "./schema-tree.ts";

/** What checking needs besides the tree. */
export interface Checking {
  registry: Registry;
  faults: Faults;
  /** True when a plugin could not be loaded, so that a type may be missing because of it. */
  plugin_failed: boolean;
}

/** A component of the file, as far as it could be understood. */
export interface Entry {
  section: ComponentSection;
  name: string;
  path: Path;
  place: Place;
  registered?: Registered;
  schema?: z.ZodObject;
  /** Its options as written, `_type` taken out. */
  node?: MapNode;
  /** Its options as its schema made them; absent when they are at fault. */
  options?: Record<string, unknown>;
}

/** "a scorer", "an evaluator". */
export function kindInWords(kind: Kind): string {
  const words = kind === "llm" ? "LLM" : kind.replaceAll("_", " ");
  return `${/^[aeiouL]/.test(words) ? "an" : "a"} ${words}`;
}

/** The options of a component, closed: an unknown key is a fault even where a plugin's schema would drop it. */
export function optionsSchema(registered: Registered): z.ZodObject {
  const { options } = registered.component;
  return options._zod.def.catchall === undefined ? options.strict() : options;
}

/** Looks a component's `_type` up and checks its options. */
export function checkComponent(
  at: { section: ComponentSection; name: string; path: Path; place: Place },
  node: Node,
  checking: Checking,
): Entry {
  const entry: Entry = { ...at };
  const { faults } = checking;
  if (node.kind !== "map") {
    const message = node.kind === "list" ? "expected a map with _type, got a list" : "expected a map with _type";
    faults.add({ code: "missing_type", ...at, message });
    return entry;
  }
  const type = node.entries.get("_type")?.node;
  if (type === undefined) {
    const hint = didYouMean("_type", [...node.entries.keys()]) === "" ? "" : ' Is one of its keys meant to be "_type"?';
    const fix = `known here: ${typesOf(at.section, checking.registry).join(", ")}`;
    faults.add({ code: "missing_type", ...at, message: `has no _type.${hint}`, fix });
    return entry;
  }
  if (type.kind !== "scalar" || type.value === null || type.text === "") {
    faults.add({
      code: "missing_type",
      place: type.place,
      path: [...at.path, "_type"],
      message: "must be a component's type",
    });
    return entry;
  }
  if (type.unexpanded) return entry;
  const registered = lookUp(at.section, type, at.path, checking);
  if (registered === undefined) return entry;

  const entries = new Map(node.entries);
  entries.delete("_type");
  const options: MapNode = { kind: "map", place: at.place, entries };
  const schema = optionsSchema(registered);
  const data = checkPart(schema, options, at.path, faults);
  return { ...entry, registered, schema, node: options, ...(data === undefined ? {} : { options: data }) };
}

/** Checks a part of the tree; what is wrong goes into `faults` with the part's path before it. */
export function checkPart<S extends Schema>(
  schema: S,
  node: Node,
  path: Path,
  faults: Faults,
): z.output<S> | undefined {
  const { data, issues } = checkValue(schema, node);
  for (const issue of issues) {
    for (const fault of explainIssue(issue, schema, node)) faults.add({ ...fault, path: [...path, ...fault.path] });
  }
  return data;
}

function typesOf(section: ComponentSection, registry: Registry): string[] {
  const types = SECTION_KINDS[section].flatMap((kind) => registry.list(kind).map((entry) => entry.type));
  return [...new Set(types)].sort();
}

function lookUp(
  section: ComponentSection,
  { text: type, place, ...scalar }: ScalarNode,
  above: Path,
  checking: Checking,
) {
  const { registry, faults } = checking;
  const name = scalar.redacted ?? type;
  const kinds: readonly Kind[] = SECTION_KINDS[section];
  const found = kinds.map((kind) => registry.find(kind, type)).filter((entry) => entry !== undefined);
  const path = [...above, "_type"];
  if (section === "ttc_strategies" && found.length > 1) {
    const names = found.map((entry) => kindInWords(entry.kind)).join(" and ");
    const message = `"${name}" is ${names}, so that it cannot be told which is meant`;
    faults.add({ code: "ambiguous_type", place, path, message, fix: "register them under different names" });
    return undefined;
  }
  if (found[0]) return found[0];

  const known = typesOf(section, registry);
  const hint = didYouMean(type, known);
  const elsewhere = registry.list().find((entry) => entry.type === type);
  const fixes = [
    ...(elsewhere
      ? [`it is ${kindInWords(elsewhere.kind)}, which does not belong under ${formatPath(above.slice(0, -1))}`]
      : []),
    known.length === 0 ? "no type is known here: is a plugin missing?" : `known here: ${known.join(", ")}`,
    ...(checking.plugin_failed ? ["a plugin did not load, see there"] : []),
  ];
  faults.add({
    code: "unknown_type",
    place,
    path,
    message: `there is no type "${name}".${hint}`,
    fix: fixes.join("; "),
  });
  return undefined;
}
