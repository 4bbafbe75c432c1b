import {
  type Alias,
  CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Pair,
  parseDocument,
  Scalar,
  visit,
  type YAMLError,
  type YAMLMap,
  type Document as YamlDocument,
} from "yaml";
import type { Faults } from "./config-error.ts";
import { emptyMap, type MapNode, type Node, type Path, type Place } from "./node.ts";

/** More nodes than any person writes: beyond it, aliases are a bomb. */
const MAX_ALIASED_NODES = 20_000;
const MAX_DEPTH = 200;

/** The library's own sentences may quote the file, and the file may hold a key: these say the same without quoting. */
const SYNTAX: Record<string, string> = {
  ALIAS_PROPS: "an alias can have no anchor or tag of its own",
  BAD_ALIAS: "this alias has no anchor before it, or its name is not allowed",
  BAD_COLLECTION_TYPE: "the tag does not fit what follows it",
  BAD_DIRECTIVE: "this % directive is not YAML's",
  BAD_DQ_ESCAPE: "a backslash in double quotes begins an escape that YAML does not know",
  BAD_INDENT: "the indentation does not fit the lines above",
  BAD_PROP_ORDER: "anchors and tags must stand after the : or - of their value",
  BAD_SCALAR_START: "a plain text cannot begin with this character: put it in quotes",
  BLOCK_AS_IMPLICIT_KEY: "a mapping cannot begin inside another one's value: is a text with `: ` missing its quotes?",
  BLOCK_IN_FLOW: "inside [ ] and { } only the same bracket style may be used",
  DUPLICATE_KEY: "this key stands here twice",
  KEY_OVER_1024_CHARS: "a key may have 1,024 characters at most",
  MISSING_CHAR: "a bracket, quote, comma or colon is missing, or a space after it",
  MULTILINE_IMPLICIT_KEY: "a key must stand on one line: is the : missing after it?",
  MULTIPLE_ANCHORS: "a value can have one anchor only",
  MULTIPLE_DOCS: "a configuration is one YAML document: remove the line ---",
  MULTIPLE_TAGS: "a value can have one tag only",
  NON_STRING_KEY: "keys must be texts",
  RESOURCE_EXHAUSTION: "this is nested too deeply",
  TAB_AS_INDENT: "tabs cannot indent: use spaces",
  TAG_RESOLVE_FAILED: "this tag is not known, or its value does not fit it",
  UNEXPECTED_TOKEN: "this is not expected here: is a quote, bracket or indentation wrong above it?",
};

interface Reading {
  faults: Faults;
  place(offset: number | undefined): Place;
  targets: Map<Alias, unknown>;
  /** Nodes made from aliases so far. */
  aliased: number;
  /** How many aliases are being unfolded right now, one inside the other. */
  unfolding: number;
  /** The lists and maps on the way down to the value at hand. */
  above: Set<unknown>;
}

/** The tree of a file's text. Every syntax fault goes into `faults`; the result is then `undefined`. */
export function readYaml(text: string, file: string, dir: string, faults: Faults): MapNode | undefined {
  const lines = new LineCounter();
  const place = (offset: number | undefined): Place => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { file, dir, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const before = faults.problems.length;

  if (isTooDeep(text)) {
    const message = "this is nested too deeply";
    faults.add({ code: "yaml_syntax", place: { ...place(0), line: 1, column: 1 }, path: [], message });
    return undefined;
  }
  const document: YamlDocument = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    merge: false,
  });
  for (const error of [...document.errors, ...document.warnings]) faults.add(syntaxFault(error, text, place));
  if (document.errors.length > 0) return undefined;
  if (document.contents === null) return emptyMap(place(0));

  const reading: Reading = {
    faults,
    place,
    targets: aliasTargets(document),
    aliased: 0,
    unfolding: 0,
    above: new Set(),
  };
  const root = convert(document.contents, place(0), [], reading);
  if (root?.kind === "scalar" && root.value === null) return emptyMap(place(0));
  if (root !== undefined && root.kind !== "map") {
    faults.add({ code: "yaml_syntax", place: root.place, path: [], message: "the file must hold keys and values" });
  }
  return root?.kind === "map" && faults.problems.length === before ? root : undefined;
}

/** The parser calls itself for every level and would take the process down with it: the levels are counted first. */
function isTooDeep(text: string): boolean {
  let brackets = 0;
  let onLine = 0;
  let isText = false;
  for (const token of new Lexer().lex(text)) {
    const type = CST.tokenType(token);
    // What follows the mark of a scalar is its text, which may begin like anything.
    const wasText: boolean = isText;
    isText = !wasText && type === "scalar";
    if (wasText) continue;
    if (type === "flow-map-start" || type === "flow-seq-start") brackets += 1;
    else if (type === "flow-map-end" || type === "flow-seq-end") brackets -= 1;
    else if (type === "newline") onLine = 0;
    else if (type === "seq-item-ind" || type === "explicit-key-ind") onLine += 1;
    // One level of a block takes one column at least.
    else if (type === "space" && onLine === 0) onLine += token.length / 2;
    if (brackets > MAX_DEPTH || onLine > MAX_DEPTH) return true;
  }
  return false;
}

/** What each alias stands for: the last anchor of its name before it. */
function aliasTargets(document: YamlDocument): Map<Alias, unknown> {
  const anchors = new Map<string, unknown>();
  const targets = new Map<Alias, unknown>();
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node)) targets.set(node, anchors.get(node.source));
      else if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

function syntaxFault(error: YAMLError, text: string, place: Reading["place"]) {
  const start = text.lastIndexOf("\n", error.pos[0] - 1) + 1;
  const line = text.slice(start).split("\n", 1)[0] ?? "";
  return {
    code: "yaml_syntax",
    place: place(error.pos[0]),
    path: [],
    message: SYNTAX[error.code] ?? "this is not YAML",
    fix: /\$\{/.test(line) ? "put a value that holds a variable in quotes" : undefined,
  };
}

function convert(value: unknown, keyPlace: Place, path: Path, reading: Reading): Node | undefined {
  if (path.length > MAX_DEPTH) return fail(reading, keyPlace, path.slice(0, 8), "this is nested too deeply");
  if (isAlias(value)) return convertAlias(value, keyPlace, path, reading);
  if (reading.unfolding > 0 && ++reading.aliased > MAX_ALIASED_NODES) {
    // Said once; the rest of the unfolding stops without a word.
    if (reading.aliased > MAX_ALIASED_NODES + 1) return undefined;
    return fail(reading, keyPlace, path, `aliases here unfold to more than ${MAX_ALIASED_NODES} values`);
  }
  if (isScalar(value)) return convertScalar(value, keyPlace, path, reading);
  if (!isMap(value) && !isSeq(value)) return nullAt(keyPlace);
  reading.above.add(value);
  const node = isMap(value)
    ? convertMap(value, keyPlace, path, reading)
    : convertList(value.items, keyPlace, path, reading);
  reading.above.delete(value);
  return node;
}

function convertList(values: readonly unknown[], keyPlace: Place, path: Path, reading: Reading): Node | undefined {
  const items: Node[] = [];
  for (const [index, value] of values.entries()) {
    const at = reading.place((value as { range?: readonly number[] } | null)?.range?.[0]);
    const node = convert(value, at, [...path, index], reading);
    if (node === undefined) return undefined;
    items.push(node);
  }
  return { kind: "list", place: keyPlace, items };
}

function convertScalar(scalar: Scalar, keyPlace: Place, path: Path, reading: Reading): Node | undefined {
  const { value, range } = scalar;
  const [start, end] = range ?? [0, 0];
  // An empty value has no place of its own: its key is where a person looks.
  if (value === null && start === end) return nullAt(keyPlace);
  const place = range ? reading.place(start) : keyPlace;
  if (value !== null && typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    return fail(reading, place, path, "only texts, numbers, true, false, null, lists and maps are allowed");
  }
  const plain = scalar.type === Scalar.PLAIN && scalar.tag === undefined;
  return {
    kind: "scalar",
    place,
    value,
    text: plain && typeof scalar.source === "string" ? scalar.source : String(value),
    plain,
    retypable: false,
    unexpanded: false,
    range: [start, end],
  };
}

function nullAt(place: Place): Node {
  return { kind: "scalar", place, value: null, text: "", plain: true, retypable: false, unexpanded: false };
}

function convertMap(map: YAMLMap, keyPlace: Place, path: Path, reading: Reading): Node | undefined {
  const node = emptyMap(keyPlace);
  const merged: { value: unknown; place: Place }[] = [];
  let whole = true;
  for (const pair of map.items as Pair[]) {
    const key = isScalar(pair.key) ? pair.key : undefined;
    const place = reading.place((pair.key as { range?: readonly number[] } | null)?.range?.[0] ?? map.range?.[0]);
    if (key === undefined || key.value === null) {
      fail(reading, place, path, "a key must be a plain text");
      whole = false;
      continue;
    }
    const name = typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
    if (name === "<<" && key.type === Scalar.PLAIN) {
      merged.push({ value: pair.value, place });
      continue;
    }
    const first = node.entries.get(name);
    if (first) {
      const message = `this key stands here twice; first in line ${first.place.line}`;
      reading.faults.add({ code: "duplicate_key", place, path: [...path, name], message });
      whole = false;
      continue;
    }
    const child = convert(pair.value, place, [...path, name], reading);
    if (child === undefined) whole = false;
    else node.entries.set(name, { place, node: child });
  }
  for (const { value, place } of merged) whole = mergeInto(node, value, place, path, reading) && whole;
  return whole ? node : undefined;
}

/** `<<: *defaults`: members of the other map that this one does not have itself. */
function mergeInto(node: MapNode, value: unknown, place: Place, path: Path, reading: Reading): boolean {
  const source = convert(value, place, path, reading);
  if (source === undefined) return false;
  for (const map of source.kind === "list" ? source.items : [source]) {
    if (map.kind !== "map") {
      fail(reading, place, [...path, "<<"], "only a map, or a list of maps, can be merged in");
      return false;
    }
    for (const [key, entry] of map.entries) if (!node.entries.has(key)) node.entries.set(key, entry);
  }
  return true;
}

function convertAlias(alias: Alias, keyPlace: Place, path: Path, reading: Reading): Node | undefined {
  const place = alias.range ? reading.place(alias.range[0]) : keyPlace;
  const target = reading.targets.get(alias);
  if (target === undefined) return fail(reading, place, path, "this alias has no anchor before it");
  if (reading.above.has(target)) return fail(reading, place, path, "this alias stands inside the value that it names");
  reading.unfolding += 1;
  const node = convert(target, keyPlace, path, reading);
  reading.unfolding -= 1;
  return node;
}

function fail(reading: Reading, place: Place, path: Path, message: string): undefined {
  reading.faults.add({ code: "yaml_syntax", place, path, message });
}
