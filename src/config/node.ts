/** Keys and positions from the top of the file down to a value. */
export type Path = readonly (string | number)[];

/** Where a value was written. */
export interface Place {
  /** As it is shown to the user. */
  file: string;
  /** From 1; null for what stands in no file, such as an override. */
  line: number | null;
  column: number | null;
  /** The absolute folder that relative names of this place start from. */
  dir: string;
  /** The path of the `-o` that said it, when the command line did. */
  override?: string;
}

/** One value of the file, with what is needed to type it again. */
export interface ScalarNode {
  kind: "scalar";
  place: Place;
  value: string | number | boolean | null;
  /** The characters behind the value, without quotes: what it is when a text is wanted. */
  text: string;
  /** Written without quotes, so that its type is YAML's to decide. */
  plain: boolean;
  /** True when the text came from a variable or an override: a schema that wants another type may have it. */
  retypable: boolean;
  /** True while it still holds a `${…}` that has no value. */
  unexpanded: boolean;
  /** What to show instead, when a secret variable was put into it. */
  redacted?: string;
  /** Bytes of the main file that the value takes: [start, end). */
  range?: readonly [number, number];
}

export interface ListNode {
  kind: "list";
  place: Place;
  items: Node[];
}

export interface Entry {
  /** Where the key stands. */
  place: Place;
  node: Node;
}

export interface MapNode {
  kind: "map";
  place: Place;
  entries: Map<string, Entry>;
}

/** A value of a configuration file that knows where it stands. Trees share no node. */
export type Node = ScalarNode | ListNode | MapNode;

/** A map with nothing in it, standing at `place`. */
export function emptyMap(place: Place): MapNode {
  return { kind: "map", place, entries: new Map() };
}

/** The value without its positions. Keys such as `__proto__` stay ordinary members. */
export function toPlain(node: Node): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(toPlain);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, toPlain(entry.node)]));
}

/** The text as a message may show it: without what a secret variable put in. */
export function shown(scalar: ScalarNode): string {
  return scalar.redacted ?? scalar.text;
}

/** The node one step below, if there is one. */
export function childOf(node: Node | undefined, key: string | number): Node | undefined {
  if (node?.kind === "map") return node.entries.get(String(key))?.node;
  if (node?.kind === "list") return node.items[Number(key)];
  return undefined;
}

/** The node at a path, if there is one. */
export function nodeAt(root: Node | undefined, path: readonly PropertyKey[]): Node | undefined {
  let node = root;
  for (const key of path) node = typeof key === "symbol" ? undefined : childOf(node, key);
  return node;
}

/** The place of the value at a path, or of the nearest thing above it that is there. */
export function placeAt(root: Node, path: readonly PropertyKey[]): Place {
  let node = root;
  for (const key of path) {
    const next = typeof key === "symbol" ? undefined : childOf(node, key);
    if (next === undefined) return node.place;
    node = next;
  }
  return node.place;
}

/** Every scalar below a node, with its path. */
export function* scalarsOf(node: Node, path: Path = []): Generator<{ scalar: ScalarNode; path: Path }> {
  if (node.kind === "scalar") yield { scalar: node, path };
  else if (node.kind === "list") {
    for (const [index, item] of node.items.entries()) yield* scalarsOf(item, [...path, index]);
  } else {
    for (const [key, entry] of node.entries) yield* scalarsOf(entry.node, [...path, key]);
  }
}

/** Whether a variable without a value stands in the node or below it. */
export function holdsUnexpanded(node: Node): boolean {
  for (const { scalar } of scalarsOf(node)) if (scalar.unexpanded) return true;
  return false;
}

/** `a.b[0]["c.d"]`: the form that `-o` takes too. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = "";
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`;
    else if (/^[^\s.[\]"']+$/.test(String(key))) text += text === "" ? String(key) : `.${String(key)}`;
    else text += `[${JSON.stringify(String(key))}]`;
  }
  return text;
}
