import type { Database } from "../store/database.ts";
import { gitTreeOid } from "./git-objects.ts";
import type { TreeEntry, TreeStore } from "./tree.ts";

/** Entries that are kept as objects, of the trees that were used last: about 10 MB. */
const MOST_KEPT = 50_000;

/** Trees in the database. Call `add` within a transaction. */
export function treeStore(database: Database): TreeStore {
  const select = database.prepare("select entries from trees where oid = ?");
  const insert = database.prepare("insert into trees (oid, entries) values (?, ?) on conflict do nothing");
  const kept = new Map<string, readonly TreeEntry[]>();
  let count = 0;
  function keep(oid: string, entries: readonly TreeEntry[]): void {
    if (entries.length > MOST_KEPT) return;
    kept.set(oid, entries);
    count += entries.length;
    for (const [oldest, { length }] of kept) {
      if (count <= MOST_KEPT) return;
      kept.delete(oldest);
      count -= length;
    }
  }
  return {
    entries(oid) {
      const known = kept.get(oid);
      if (known !== undefined) {
        kept.delete(oid);
        kept.set(oid, known);
        return known;
      }
      const row = select.get(oid) as { entries: string } | undefined;
      if (row === undefined) throw new Error(`the tree ${oid} is not in the database`);
      const entries = JSON.parse(row.entries) as TreeEntry[];
      keep(oid, entries);
      return entries;
    },
    add(entries) {
      const oid = gitTreeOid(entries);
      insert.run(oid, JSON.stringify(entries));
      return oid;
    },
  };
}
