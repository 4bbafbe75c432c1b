import { collectFaults, type Faults } from "./config-error.ts";
import { childOf, emptyMap, formatPath, type MapNode, type Node, type Path, type Place } from "./node.ts";
import { plainValue } from "./plain-value.ts";
import { readYaml } from "./read-yaml.ts";

/** Puts `-o path value` into the tree, one after another. Names in values start from `cwd`. */
export function applyOverrides(
  root: MapNode,
  overrides: readonly (readonly [path: string, value: string])[],
  cwd: string,
  faults: Faults,
): void {
  for (const [written, value] of overrides) {
    const place: Place = { file: `-o ${written}`, line: null, column: null, dir: cwd, override: written };
    const fail = (message: string, fix?: string) => faults.add({ code: "override", place, path: [], message, fix });
    const path = parsePath(written);
    if (path === undefined) fail("this is not a path", "write it as section.name.key, with [0] for a place in a list");
    else if (path[0] === "base") fail("the base file cannot be changed by an override", "name it in the file");
    else setAt(root, path, overrideNode(value, place), place, fail);
  }
}

/** The keys of `a.b[0]["c.d"]`, or `undefined` when it is no path. */
export function parsePath(written: string): Path | undefined {
  const path: (string | number)[] = [];
  const step = /\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|(?:^|\.)([^.[\]]+)/y;
  while (step.lastIndex < written.length) {
    const match = step.exec(written);
    if (!match) return undefined;
    if (match[1] !== undefined) path.push(Number(match[1]));
    else if (match[2] !== undefined) path.push(match[2].replace(/\\(.)/g, "$1"));
    else path.push(match[3] ?? "");
  }
  return path.length === 0 ? undefined : path;
}

/** The value as YAML's flow style has it; what is neither list, map, number nor the like is a text. */
function overrideNode(value: string, place: Place): Node {
  const trimmed = value.trim();
  if (/^[[{"']/.test(trimmed)) {
    const parsed = readYaml(`value: ${trimmed}`, place.file, place.dir, collectFaults());
    const node = childOf(parsed, "value");
    if (node !== undefined) return ownedBy(node, place);
  }
  return {
    kind: "scalar",
    place,
    // An empty value is an empty text; a schema that wants none of it may have null.
    value: value === "" ? "" : plainValue(value),
    text: value,
    plain: true,
    retypable: true,
    unexpanded: false,
  };
}

function ownedBy(node: Node, place: Place): Node {
  if (node.kind === "map") {
    const entries = [...node.entries].map(
      ([key, entry]) => [key, { place, node: ownedBy(entry.node, place) }] as const,
    );
    return { kind: "map", place, entries: new Map(entries) };
  }
  if (node.kind === "list") return { kind: "list", place, items: node.items.map((item) => ownedBy(item, place)) };
  const { range: _range, ...scalar } = node;
  return { ...scalar, place, retypable: true };
}

function setAt(root: MapNode, path: Path, value: Node, place: Place, fail: (message: string, fix?: string) => void) {
  let node: Node = root;
  for (const [depth, key] of path.entries()) {
    const last = depth === path.length - 1;
    const here = formatPath(path.slice(0, depth));
    if (node.kind === "scalar") return fail(`${here} is a single value: it has no ${formatPath(path.slice(depth))}`);
    const old: Node | undefined = childOf(node, key);
    const usable = old !== undefined && !(old.kind === "scalar" && old.value === null);
    const next: Node = last
      ? value
      : usable
        ? old
        : typeof path[depth + 1] === "number"
          ? emptyList(place)
          : emptyMap(place);

    if (node.kind === "map")
      node.entries.set(String(key), { place: last || !usable ? place : placeOf(node, key), node: next });
    else {
      const index = Number(key);
      if (!Number.isInteger(index) || index < 0) return fail(`${here} is a list: its places are numbers`);
      if (index > node.items.length) return fail(`${here} has ${node.items.length} items: there is no place ${index}`);
      node.items[index] = next;
    }
    node = next;
  }
}

function emptyList(place: Place): Node {
  return { kind: "list", place, items: [] };
}

function placeOf(node: MapNode, key: string | number): Place {
  return node.entries.get(String(key))?.place ?? node.place;
}
