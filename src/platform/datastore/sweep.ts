import { closeSync, existsSync, openSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Database, transaction } from "../store/database.ts";

/** An upload may wait so long for the commit that names it. */
const YOUNG_MS = 24 * 3600 * 1000;

/** Says that something was deleted, so that the next start looks for what nobody needs any more. */
export function askForSweep(dir: string): void {
  closeSync(openSync(marker(dir), "a"));
}

/**
 * Removes trees that no commit leads to and files that no tree names, if something was deleted since the last time. To be
 * called before anything is served: what is being uploaded would not be known yet.
 */
export async function sweep(database: Database, dir: string, now: number): Promise<void> {
  if (!existsSync(marker(dir))) return;
  const used = transaction(database, () => {
    database.exec(`create temporary table reached as ${REACHED}`);
    database.exec("delete from trees where oid not in (select oid from reached)");
    database.exec("drop table reached");
    const rows = database.prepare(NAMED).all() as { sha256: string }[];
    return new Set(rows.map(({ sha256 }) => sha256));
  });
  for (const shard of await readdir(dir)) {
    if (!/^[0-9a-f]{2}$/.test(shard)) continue;
    for (const name of await readdir(join(dir, shard))) {
      const path = join(dir, shard, name);
      if (!used.has(shard + name) && now - (await stat(path)).mtimeMs > YOUNG_MS) await rm(path);
    }
  }
  await rm(marker(dir));
}

const REACHED = `
  with recursive reached (oid) as (
    select tree from commits
    union
    select json_extract(entry.value, '$.oid')
    from reached join trees on trees.oid = reached.oid, json_each(trees.entries) as entry
    where json_extract(entry.value, '$.kind') = 'tree'
  ) select oid from reached`;

const NAMED = `
  select distinct json_extract(entry.value, '$.sha256') as sha256
  from trees, json_each(trees.entries) as entry
  where json_extract(entry.value, '$.kind') = 'file'`;

function marker(dir: string): string {
  return join(dir, "sweep");
}
