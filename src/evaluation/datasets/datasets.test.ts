import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collectGarbage } from "../../lib/__fixtures__/collect-garbage.ts";
import { silentLogger } from "../../lib/log.ts";
import type { DatasetReader, DatasetRow } from "../../registry/dataset.ts";
import { createRegistry } from "../../registry/registry.ts";
import { datasetForFile } from "./dataset-for-file.ts";
import { registerDatasets } from "./register-datasets.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "datasets-"));
});
afterAll(() => rm(folder, { recursive: true }));

const registry = createRegistry();
registerDatasets(registry);

/** Builds a data set as the program does: options through the schema, paths from the folder. */
function open({ _type, ...written }: { _type: string; [option: string]: unknown }): DatasetReader {
  const entry = registry.find("dataset", _type);
  if (entry === undefined) throw new Error(`no data set ${_type}`);
  const unused = () => {
    throw new Error("not used by a data set");
  };
  return entry.component.build({
    options: entry.component.options.parse(written),
    name: "dataset",
    llm: unused,
    function: unused,
    search: unused,
    edit: unused,
    scorer: unused,
    selector: unused,
    path: (name) => resolve(folder, name),
    log: silentLogger,
  }) as DatasetReader;
}

async function put(name: string, content: string): Promise<{ _type: string; file_path: string }> {
  await writeFile(join(folder, name), content);
  return datasetForFile(name);
}

async function rowsOf(reader: DatasetReader): Promise<DatasetRow[]> {
  const rows: DatasetRow[] = [];
  for await (const row of reader.rows()) rows.push(row);
  return rows;
}

test("json gives the rows of an array with their numbers, and knows its file", async () => {
  const reader = open(await put("two.json", '\uFEFF[{"question": "a"}, {"question": 2}]'));

  expect(await rowsOf(reader)).toEqual([
    { row: { question: "a" }, where: "two.json: row 1" },
    { row: { question: 2 }, where: "two.json: row 2" },
  ]);
  expect(reader.file).toBe(join(folder, "two.json"));
});

test("jsonl gives one row a line with its line number, over blank lines, carriage returns and a byte-order mark", async () => {
  const reader = open(await put("two.jsonl", '\uFEFF{"question":"a"}\r\n\r\n  \n{"question":"b"}'));

  expect(await rowsOf(reader)).toEqual([
    { row: { question: "a" }, where: "two.jsonl:1" },
    { row: { question: "b" }, where: "two.jsonl:4" },
  ]);
});

test("csv gives texts by the header's names, through quotes, line breaks and a byte-order mark", async () => {
  const reader = open(await put("two.csv", '\uFEFF"id", question\n1,"a, ""b""\nc"\n\n2,\n'));

  expect(await rowsOf(reader)).toEqual([
    { row: { id: "1", question: 'a, "b"\nc' }, where: "two.csv: row 1" },
    { row: { id: "2", question: "" }, where: "two.csv: row 2" },
  ]);
});

test("csv takes another delimiter, which a .tsv file implies", async () => {
  const semicolons = { ...(await put("semi.csv", "a;b\n1;2\n")), delimiter: ";" };

  expect(await rowsOf(open(semicolons))).toMatchObject([{ row: { a: "1", b: "2" } }]);
  expect(await rowsOf(open(await put("tabs.tsv", "a\tb\n1\t2\n")))).toMatchObject([{ row: { a: "1", b: "2" } }]);
});

test("rows can be read twice, and a reader may leave early", async () => {
  for (const [name, content] of [
    ["again.jsonl", '{"q":1}\n{"q":2}\n'],
    ["again.csv", "q\n1\n2\n"],
    ["again.json", '[{"q":1},{"q":2}]'],
  ] as const) {
    const reader = open(await put(name, content));
    for await (const { row } of reader.rows()) {
      expect(Object.values(row).map(Number)).toEqual([1]);
      break;
    }
    expect(await rowsOf(reader)).toHaveLength(2);
  }
});

/** The least of some looks: on a busy machine, memory of buffers that nobody holds any more is given back a little later. */
async function living(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 5; look += 1) {
    collectGarbage();
    await wait(5);
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, heapUsed + external + arrayBuffers);
  }
  return least;
}

test("csv and jsonl stream: memory does not grow with the file", async () => {
  const line = "x".repeat(1000);
  const csv = open(await put("long.csv", `q\n${`${line}\n`.repeat(30_000)}`));
  const jsonl = open(await put("long.jsonl", `{"q":"${line}"}\n`.repeat(30_000)));
  for (const reader of [csv, jsonl]) {
    let rows = 0;
    let most = 0;
    const before = await living();
    for await (const _ of reader.rows()) {
      rows += 1;
      if (rows % 10_000 === 0) most = Math.max(most, (await living()) - before);
    }
    expect(rows).toBe(30_000);
    expect(most).toBeLessThan(15_000_000);
  }
});

test("a file that is not there is named with both places where it was looked for", async () => {
  const missing = open({ _type: "jsonl", file_path: "gone/data.jsonl" });

  const error = await rowsOf(missing).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: "dataset_not_found", exit_code: 2, where: "gone/data.jsonl" });
  expect(error.what).toContain(resolve("gone/data.jsonl"));
  expect(error.what).toContain(join(folder, "gone/data.jsonl"));
});

test.each(["json", "jsonl", "csv"])("a folder is no %s data set", async (_type) => {
  await mkdir(join(folder, "inner"), { recursive: true });

  await expect(rowsOf(open({ _type, file_path: "inner" }))).rejects.toMatchObject({
    code: "dataset_is_folder",
    exit_code: 2,
  });
});

test.each([
  ["an object", "o.json", '{"rows": [{"a": 1}]}', "dataset_shape", "o.json", /an object with "rows"/],
  ["an array of texts", "t.json", '[{"a":1}, "x"]', "dataset_shape", "t.json: row 2", /a string/],
  ["an array of arrays", "a.json", "[[1]]", "dataset_shape", "a.json: row 1", /an array/],
  ["a broken file", "b.json", '[\n {"a": 1},\n {"a": secret}\n]', "dataset_not_json", "b.json:3:8", /not JSON/],
  ["a cut file", "cut.json", '[{"a": 1},', "dataset_not_json", "cut.json:1:11", /not JSON/],
  ["an empty file", "e.json", " \n", "empty_dataset", "e.json", /empty/],
  ["a bad line", "bad.jsonl", '{"a":1}\n\n{"a":secret}\n', "bad_line", "bad.jsonl:3", /not JSON/],
  ["a line that is no object", "no.jsonl", '{"a":1}\n["secret"]\n', "bad_line", "no.jsonl:2", /an array/],
  ["a short row", "short.csv", "a,b,c\n1,2,3\n4,secret\n", "bad_line", "short.csv:3, row 2", /number of cells.*has 2/],
  ["a long row", "long2.csv", "a,b\n1,2,secret\n", "bad_line", "long2.csv:2, row 1", /number of cells.*has 3/],
  ["an open quote", "quote.csv", 'a,b\n1,"secret\n3,4\n', "bad_line", /^quote\.csv:/, /never closes/],
  ["a stray quote", "stray.csv", 'a,b\n1,se"cret\n', "bad_line", "stray.csv:2, row 1", /not quoted/],
  ["two columns of one name", "twin.csv", "a,b,a\n1,2,3\n", "dataset_shape", "twin.csv:1", /called "a"/],
  ["a column without a name", "blank.csv", "a,,c\n1,2,3\n", "dataset_shape", "blank.csv:1", /column 2/],
])("%s is refused by its place, and the data is not quoted", async (_, name, content, code, where, what) => {
  const error = await rowsOf(open(await put(name, content))).catch((thrown) => thrown);

  expect(error).toMatchObject({ code, exit_code: 2 });
  expect(error.where).toMatch(where instanceof RegExp ? where : new RegExp(`^${where}$`));
  expect(error.what).toMatch(what);
  expect(`${error.stack} ${error.cause}`).not.toContain("secret");
});

test("one object a line in a .json file is recognised", async () => {
  const reader = open(await put("lines.json", '{"a":1}\n{"a":2}\n'));

  await expect(rowsOf(reader)).rejects.toMatchObject({ fix: expect.stringContaining("jsonl") });
});

test("files without rows give none", async () => {
  for (const [name, content] of [
    ["none.json", "[]"],
    ["none.jsonl", ""],
    ["none.csv", ""],
    ["header.csv", "a,b\n"],
  ] as const) {
    expect(await rowsOf(open(await put(name, content)))).toEqual([]);
  }
});

test("options that nobody knows are refused, also inside structure and filter", () => {
  const { options } = registry.find("dataset", "json")!.component;
  for (const wrong of [
    { idkey: "x" },
    { structure: { question: "q" } },
    { filter: { allow: {} } },
    { filter: { allowlist: { level: ["x"] } } },
  ]) {
    expect(options.safeParse({ file_path: "x.json", ...wrong }).success).toBe(false);
  }
});

test("a file on the command line keeps what the configuration says about rows, and nothing else of it", () => {
  const previous = { file_path: "old.csv", id_key: "name", structure: { question_key: "q" }, delimiter: ";", own: 1 };

  expect(datasetForFile("new.CSV", previous)).toEqual({
    _type: "csv",
    file_path: "new.CSV",
    id_key: "name",
    structure: { question_key: "q" },
    delimiter: ";",
  });
  expect(datasetForFile("new.jsonl", previous)).not.toHaveProperty("delimiter");
  expect(datasetForFile("new.json")).toEqual({ _type: "json", file_path: "new.json" });
  expect(() => datasetForFile("data.parquet")).toThrow(expect.objectContaining({ code: "unknown_dataset_type" }));
});
