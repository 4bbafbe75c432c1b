import { usageError } from "../lib/errors.ts";
import { didYouMean } from "../lib/suggest.ts";
import type { ColumnPatterns, DatasetReader, RowFilter } from "../registry/dataset.ts";

/** Whether a row takes part. */
export type KeepsRow = (row: Record<string, unknown>) => boolean;

/**
 * Makes a filter ready. A cell that is no text is matched as it would be written in JSON; a row without the cell, or
 * with null in it, matches nothing: an allowlist drops it, a denylist keeps it.
 */
export function rowFilter({ allowlist, denylist }: RowFilter): KeepsRow {
  const allowed = columnsOf(allowlist);
  const denied = columnsOf(denylist);
  return (row) => allowed.every((matches) => matches(row)) && !denied.some((matches) => matches(row));
}

/**
 * Reads rows until every column that the filter names was seen once, usually in the first: a misspelt column would
 * otherwise let everything or nothing through. Throws when a column is in no row at all.
 */
export async function checkFilterColumns(reader: DatasetReader, filter: RowFilter): Promise<void> {
  const missing = new Set([
    ...Object.keys(filter.allowlist?.field ?? {}),
    ...Object.keys(filter.denylist?.field ?? {}),
  ]);
  if (missing.size === 0) return;
  const seen = new Set<string>();
  for await (const { row } of reader.rows()) {
    for (const column of Object.keys(row)) {
      seen.add(column);
      missing.delete(column);
    }
    if (missing.size === 0) return;
  }
  // Without rows nothing can be said of columns; that there are none is another error.
  if (seen.size === 0) return;
  const columns = [...seen];
  const [first = ""] = missing;
  throw usageError({
    code: "unknown_column",
    where: "filter",
    what: `no row has ${[...missing].map((column) => `"${column}"`).join(" or ")}.${didYouMean(first, columns)}`,
    fix: `the rows have ${columns
      .slice(0, 20)
      .map((column) => `"${column}"`)
      .join(", ")}`,
  });
}

function columnsOf(patterns: ColumnPatterns | undefined): KeepsRow[] {
  return Object.entries(patterns?.field ?? {}).map(([column, globs]) => {
    const matchers = globs.map((glob) => globMatcher(String(glob)));
    return (row) => {
      const cell = row[column];
      if (cell === undefined || cell === null) return false;
      const text = typeof cell === "string" ? cell : JSON.stringify(cell);
      return matchers.some((matches) => matches(text));
    };
  });
}

/**
 * `*` is any text and `?` any one character, over the whole of the text, with case. Not made a regular expression:
 * `*a*a*a*b` would take one through every way to share out the text.
 */
export function globMatcher(glob: string): (text: string) => boolean {
  const pattern = [...glob];
  return (written) => {
    const text = [...written];
    let at = 0;
    let place = 0;
    let star = -1;
    let mark = 0;
    while (at < text.length) {
      if (place < pattern.length && pattern[place] === "*") {
        star = place;
        mark = at;
        place += 1;
      } else if (place < pattern.length && (pattern[place] === "?" || pattern[place] === text[at])) {
        place += 1;
        at += 1;
      } else if (star !== -1) {
        // Let the last star take one character more.
        place = star + 1;
        mark += 1;
        at = mark;
      } else {
        return false;
      }
    }
    while (pattern[place] === "*") place += 1;
    return place === pattern.length;
  };
}
