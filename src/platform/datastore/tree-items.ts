import type { TreeItem } from "../../training/wire/hub.ts";
import type { DatastoreParts } from "./datastore.ts";
import { lfsPointer } from "./git-objects.ts";
import type { Commit, Repo } from "./repositories.ts";
import { findEntry, type TreeEntry } from "./tree.ts";

/** A file or folder as the API has it. */
export function treeItem(path: string, entry: TreeEntry): TreeItem {
  if (entry.kind === "tree") return { type: "directory", oid: entry.oid, size: 0, path };
  const { oid, size, sha256, lfs } = entry;
  const large = lfs && { lfs: { oid: sha256, size, pointerSize: lfsPointer(entry).byteLength } };
  return { type: "file", oid, size, path, ...large };
}

/** So far back is looked for the commit that last changed something; beyond, the last one looked at stands for it. */
const MOST_COMMITS = 1000;

/** Adds to each item the commit that made it what it is. */
export function withLastCommits(
  { repos, trees }: DatastoreParts,
  repo: Repo,
  head: Commit,
  items: readonly TreeItem[],
): TreeItem[] {
  const open = new Map(items.map((item) => [item.path, item]));
  const found = new Map<string, TreeItem["lastCommit"]>();
  let commit = head;
  for (let looked = 1; open.size > 0; looked += 1) {
    const parent = commit.parent === null ? undefined : repos.commitAt(repo, commit.parent);
    const isEnd = parent === undefined || looked === MOST_COMMITS;
    for (const { path, oid } of isEnd || parent.tree !== commit.tree ? [...open.values()] : []) {
      if (!isEnd && findEntry(trees, parent.tree, path)?.oid === oid) continue;
      found.set(path, { id: commit.oid, title: commit.summary, date: commit.date });
      open.delete(path);
    }
    if (isEnd) break;
    commit = parent;
  }
  return items.map((item) => {
    const lastCommit = found.get(item.path);
    return lastCommit === undefined ? item : { ...item, lastCommit };
  });
}
