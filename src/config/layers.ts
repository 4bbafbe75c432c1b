import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { codeOf } from "../lib/errors.ts";
import type { Faults } from "./config-error.ts";
import { type Expansion, expandScalar } from "./expand-variables.ts";
import { childOf, emptyMap, type MapNode, type Node, type Place } from "./node.ts";
import { withoutSecrets } from "./original-text.ts";
import { readYaml } from "./read-yaml.ts";

/** A configuration and the files that it stands on, as one tree. */
export interface Layers {
  root: MapNode;
  /** The main file first, then its base, and so on; absolute. */
  files: string[];
  /** The text of the main file, what is secret in it cut out. */
  text: string;
}

/** Reads a file and what its `base:` names, nearest last. `undefined` when any of them cannot be read; the faults say why. */
export async function readLayers(file: string, cwd: string, expansion: Expansion): Promise<Layers | undefined> {
  const { faults } = expansion;
  const layers: { path: string; root: MapNode; text: string }[] = [];
  let path = resolve(cwd, file);
  let namedAt: Place | undefined;
  for (;;) {
    const chain = layers.map((layer) => layer.path);
    if (chain.includes(path)) {
      const cycle = [...chain.slice(chain.indexOf(path)), path].map((name) => display(name, cwd)).join(" -> ");
      faults.add({
        code: "base_cycle",
        place: at(namedAt, path, cwd),
        path: ["base"],
        message: `base files name each other: ${cycle}`,
      });
      return undefined;
    }
    const text = await readText(path, namedAt, cwd, faults);
    const root = text === undefined ? undefined : readYaml(text, display(path, cwd), dirname(path), faults);
    if (text === undefined || root === undefined) return undefined;
    layers.push({ path, root, text: layers.length === 0 ? withoutSecrets(text, root) : "" });

    const base = root.entries.get("base");
    root.entries.delete("base");
    const name = base === undefined ? undefined : baseName(base.node, expansion);
    if (base === undefined || name === null) break;
    if (name === undefined) return undefined;
    namedAt = base.node.place;
    path = resolve(dirname(path), name);
  }

  const [main] = layers;
  if (main === undefined) return undefined;
  let root: Node = emptyMap(main.root.place);
  for (const layer of layers.toReversed()) root = merge(root, withPluginsOf(root, layer.root));
  return root.kind === "map" ? { root, files: layers.map((layer) => layer.path), text: main.text } : undefined;
}

/** The path as a person would write it: from the working folder, where it lies below it. */
export function display(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short === "" || short.startsWith("..") || isAbsolute(short) ? path : short;
}

function at(namedAt: Place | undefined, path: string, cwd: string): Place {
  return namedAt ?? { file: display(path, cwd), line: null, column: null, dir: dirname(path) };
}

async function readText(
  path: string,
  namedAt: Place | undefined,
  cwd: string,
  faults: Faults,
): Promise<string | undefined> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch (error) {
    const name = display(path, cwd);
    const message = {
      ENOENT: `there is no file ${name}`,
      EISDIR: `${name} is a folder, not a file`,
      EACCES: `${name} may not be read`,
      ERR_ENCODING_INVALID_ENCODED_DATA: `${name} is not UTF-8 text`,
    }[codeOf(error) ?? ""];
    if (message === undefined) throw error;
    const code = namedAt === undefined ? "config_unreadable" : "base_unreadable";
    faults.add({ code, place: at(namedAt, path, cwd), path: namedAt === undefined ? [] : ["base"], message });
    return undefined;
  }
}

/** The file that `base:` names; null for none, `undefined` after a fault. */
function baseName(node: Node, expansion: Expansion): string | null | undefined {
  const fail = (message: string, fix?: string) =>
    expansion.faults.add({ code: "base_unreadable", place: node.place, path: ["base"], message, fix });
  if (node.kind !== "scalar") return void fail("base must be the name of one file");
  if (node.value === null) return null;
  const unset = expandScalar(node, expansion);
  for (const { message, fix } of unset) fail(message, fix);
  if (unset.length > 0) return undefined;
  return node.text === "" ? void fail("base must be the name of one file") : node.text;
}

/** Maps are merged member by member; anything else of the child's replaces what the base has, null too. (Plugins join.) */
function merge(base: Node, child: Node): Node {
  if (base.kind !== "map" || child.kind !== "map") return child;
  const entries = new Map(base.entries);
  for (const [key, entry] of child.entries) {
    const below = base.entries.get(key);
    entries.set(key, below === undefined ? entry : { place: entry.place, node: merge(below.node, entry.node) });
  }
  return { kind: "map", place: child.place, entries };
}

/** The file with its base's plugins before its own: what a base's components need, the base says itself. */
function withPluginsOf(base: Node, child: MapNode): MapNode {
  const own = child.entries.get("plugins");
  const below = childOf(base, "plugins");
  if (own?.node.kind !== "list" || below?.kind !== "list") return child;
  const joined: Node = { ...own.node, items: [...below.items, ...own.node.items] };
  return { ...child, entries: new Map(child.entries).set("plugins", { ...own, node: joined }) };
}
