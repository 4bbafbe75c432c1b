import { expect, test } from "vitest";
import type { DatasetReader } from "../registry/dataset.ts";
import { checkFilterColumns, globMatcher, rowFilter } from "./row-filter.ts";

test.each([
  ["easy*", "easy-1", true],
  ["easy*", "uneasy", false],
  ["*-?", "a-1", true],
  ["*-?", "a-12", false],
  ["?", "é", true],
  ["?", "👍", true],
  ["", "", true],
  ["*", "", true],
  ["a.c", "abc", false],
  ["[a]", "[a]", true],
  ["*a*b", "xaxbxb", true],
  ["**", "x\ny", true],
  ["Easy", "easy", false],
])("the pattern %j on %j: %s", (glob, text, matches) => {
  expect(globMatcher(glob)(text)).toBe(matches);
});

test("a pattern of many stars takes no exponential time", () => {
  expect(globMatcher(`${"*a".repeat(40)}*b`)("a".repeat(5000))).toBe(false);
});

test("the allowlist wants every column, the denylist any", () => {
  const keeps = rowFilter({
    allowlist: { field: { level: ["easy*", "mid"], lang: ["en"] } },
    denylist: { field: { source: ["bad*"], n: [3] } },
  });
  const row = { level: "easy1", lang: "en", source: "good", n: 1 };

  expect(keeps(row)).toBe(true);
  expect(keeps({ ...row, level: "hard" })).toBe(false);
  expect(keeps({ ...row, lang: "de" })).toBe(false);
  expect(keeps({ ...row, source: "bad1" })).toBe(false);
  expect(keeps({ ...row, n: 3 })).toBe(false);
});

test("cells that are no text are matched as they are written, and a cell that is not there matches nothing", () => {
  expect(rowFilter({ allowlist: { field: { n: [12] } } })({ n: 12 })).toBe(true);
  expect(rowFilter({ allowlist: { field: { ok: [true] } } })({ ok: true })).toBe(true);
  expect(rowFilter({ allowlist: { field: { n: ["*"] } } })({ n: null })).toBe(false);
  expect(rowFilter({ denylist: { field: { n: ["*"] } } })({})).toBe(true);
});

function readerOf(rows: Record<string, unknown>[]): DatasetReader {
  return {
    rows: async function* () {
      for (const [index, row] of rows.entries()) yield { row, where: `row ${index + 1}` };
    },
  };
}

test("a column that no row has is an error with the nearest name; one that some row has is none", async () => {
  const reader = readerOf([{ level: 1 }, { level: 1, source: "x" }]);

  await expect(checkFilterColumns(reader, { denylist: { field: { source: ["x"] } } })).resolves.toBeUndefined();
  await expect(checkFilterColumns(reader, { denylist: { field: { levl: ["x"] } } })).rejects.toMatchObject({
    code: "unknown_column",
    exit_code: 2,
    what: 'no row has "levl". Did you mean "level"?',
  });
});
