/** A file of a tree: where its bytes are, and what git calls it. */
export interface FileEntry {
  kind: "file";
  name: string;
  /** Git's oid of the bytes; where `lfs`, of the pointer that git holds in their place. */
  oid: string;
  size: number;
  sha256: string;
  lfs?: true;
}

/** A folder of a tree, itself a tree. */
export interface FolderEntry {
  kind: "tree";
  name: string;
  oid: string;
}

export type TreeEntry = FileEntry | FolderEntry;

/** Trees by their oid; entries are in the order of their names. */
export interface TreeStore {
  entries(oid: string): readonly TreeEntry[];
  /** Keeps a tree and gives its oid. */
  add(entries: readonly TreeEntry[]): string;
}

/** What stands at a path; "" is the tree itself. */
export function findEntry(trees: TreeStore, root: string, path: string): TreeEntry | undefined {
  let at: TreeEntry = { kind: "tree", name: "", oid: root };
  for (const name of path === "" ? [] : path.split("/")) {
    const next: TreeEntry | undefined = at.kind === "tree" ? entryNamed(trees.entries(at.oid), name) : undefined;
    if (next === undefined) return undefined;
    at = next;
  }
  return at;
}

/** By halves: the names are in order, and a folder may hold ten thousand. */
function entryNamed(entries: readonly TreeEntry[], name: string): TreeEntry | undefined {
  let from = 0;
  let to = entries.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    const entry = entries[middle];
    if (entry === undefined || entry.name === name) return entry;
    if (entry.name < name) from = middle + 1;
    else to = middle;
  }
  return undefined;
}

/** Where a walk goes. */
export interface Walk {
  root: string;
  /** Into folders, too. */
  recursive: boolean;
  /** Begins behind this path, which is relative to the root. */
  after?: string | undefined;
}

/** Paths below a tree, each folder before what is in it. */
export function* walk(
  trees: TreeStore,
  { root, recursive, after }: Walk,
  before = "",
): Generator<{ path: string; entry: TreeEntry }> {
  const [first, ...rest] = after === undefined ? [] : after.split("/");
  for (const entry of trees.entries(root)) {
    if (first !== undefined && entry.name < first) continue;
    const path = before + entry.name;
    const wasThere = entry.name === first;
    if (!wasThere) yield { path, entry };
    if (entry.kind === "tree" && recursive) {
      const behind = wasThere && rest.length > 0 ? rest.join("/") : undefined;
      yield* walk(trees, { root: entry.oid, recursive, after: behind }, `${path}/`);
    }
  }
}
