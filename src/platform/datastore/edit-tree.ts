import { entryNotFound, hubFault } from "./hub-fault.ts";
import type { FileEntry, FolderEntry, TreeEntry, TreeStore } from "./tree.ts";

/** One change of a commit; they are done in their order. */
export type Edit =
  | { do: "put"; path: string; file: Omit<FileEntry, "kind" | "name"> }
  | { do: "remove_file"; path: string }
  | { do: "remove_folder"; path: string };

/** A folder whose entries were looked at. */
interface OpenFolder {
  kind: "open";
  entries: Map<string, FileEntry | FolderEntry | OpenFolder>;
}

/** The empty tree. */
export function emptyTree(trees: TreeStore): string {
  return trees.add([]);
}

/**
 * The tree that edits make of another; only folders on the way to a change are read and written. Folders in which nothing
 * is left go, as git has no empty ones. Errors: 404 for a path to remove that is not there, 400 where a file would take a
 * folder's place or lie in a file.
 */
export function editTree(trees: TreeStore, root: string, edits: readonly Edit[]): string {
  const top = opened(trees, root);
  for (const edit of edits) {
    const names = edit.path.split("/");
    const last = names.pop() ?? "";
    if (edit.do === "put") put(trees, { top, names, last }, edit);
    else remove({ trees, top, names, last }, edit);
  }
  return trees.add(closed(trees, top));
}

interface Place {
  top: OpenFolder;
  names: string[];
  last: string;
}

function put(trees: TreeStore, { top, names, last }: Place, { path, file }: Extract<Edit, { do: "put" }>): void {
  let folder = top;
  for (const name of names) {
    const next = folder.entries.get(name) ?? { kind: "open", entries: new Map() };
    if (next.kind === "file") throw hubFault(400, `${path} cannot lie in ${name}, which is a file`);
    folder = openIn(trees, folder, name, next);
  }
  if ((folder.entries.get(last)?.kind ?? "file") !== "file") throw hubFault(400, `${path} is a folder`);
  folder.entries.set(last, { kind: "file", name: last, ...file });
}

function remove(
  { trees, top, names, last }: Place & { trees: TreeStore },
  { path, do: what }: Exclude<Edit, { do: "put" }>,
): void {
  let folder = top;
  for (const name of names) {
    const next = folder.entries.get(name);
    if (next === undefined || next.kind === "file") throw entryNotFound(path);
    folder = openIn(trees, folder, name, next);
  }
  const isFile = folder.entries.get(last)?.kind === "file";
  if (!folder.entries.has(last) || isFile !== (what === "remove_file")) throw entryNotFound(path);
  folder.entries.delete(last);
}

function openIn(trees: TreeStore, folder: OpenFolder, name: string, entry: FolderEntry | OpenFolder): OpenFolder {
  const inner = entry.kind === "open" ? entry : opened(trees, entry.oid);
  folder.entries.set(name, inner);
  return inner;
}

function opened(trees: TreeStore, oid: string): OpenFolder {
  return { kind: "open", entries: new Map(trees.entries(oid).map((entry) => [entry.name, entry])) };
}

/** Keeps the folders within, and gives the entries of this one. */
function closed(trees: TreeStore, { entries }: OpenFolder): TreeEntry[] {
  const list = [...entries].flatMap(([name, entry]): TreeEntry[] => {
    if (entry.kind !== "open") return [entry];
    const within = closed(trees, entry);
    return within.length === 0 ? [] : [{ kind: "tree", name, oid: trees.add(within) }];
  });
  return list.sort((a, b) => (a.name < b.name ? -1 : 1));
}
