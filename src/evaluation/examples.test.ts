import { expect, test } from "vitest";
import type { DatasetReader, DatasetShape } from "../registry/dataset.ts";
import type { Example } from "../registry/workflow.ts";
import { readExamples } from "./examples.ts";

function readerOf(...rows: Record<string, unknown>[]): DatasetReader {
  return {
    rows: async function* () {
      for (const [index, row] of rows.entries()) yield { row, where: `data.jsonl:${index + 1}` };
    },
  };
}

async function read(reader: DatasetReader, shape?: DatasetShape): Promise<Example[]> {
  const examples: Example[] = [];
  for await (const example of readExamples(reader, shape)) examples.push(example);
  return examples;
}

test("a plugin's data set with nothing but rows gets the usual names", async () => {
  const row = { id: 7, question: "2+2?", answer: 4, extra: true };

  expect(await read(readerOf(row))).toEqual([{ id: "7", index: 0, input: "2+2?", answer: 4, row }]);
});

test("the reader's own shape is used, and an argument goes before it", async () => {
  const reader = { ...readerOf({ id: "a", q: 1, question: 2 }), shape: { structure: { question_key: "q" } } };

  expect(await read(reader)).toMatchObject([{ input: 1 }]);
  expect(await read(reader, {})).toMatchObject([{ input: 2 }]);
});

test("with structure disabled the row is the input, and holds its answer back from nobody", async () => {
  const row = { id: "a", answer: 1 };

  expect(await read(readerOf(row), { structure: { disable: true } })).toEqual([{ id: "a", index: 0, input: row, row }]);
});

test("a row without an answer, or with null, has none", async () => {
  const [absent, empty] = await read(readerOf({ id: 1, question: "a" }, { id: 2, question: "b", answer: null }));

  expect(absent).not.toHaveProperty("answer");
  expect(empty).not.toHaveProperty("answer");
});

test("the filter comes first: what it leaves out needs no id, and the rest is numbered from 0", async () => {
  const examples = await read(
    readerOf(
      { level: "x" },
      { id: "a", question: 1, level: "y" },
      { level: "x" },
      { id: "b", question: 2, level: "y" },
    ),
    { filter: { allowlist: { field: { level: ["y"] } } } },
  );

  expect(examples.map(({ id, index }) => [id, index])).toEqual([
    ["a", 0],
    ["b", 1],
  ]);
});

test("rows without ids are named by their content, whatever their order and the order of their fields", async () => {
  const one = await read(readerOf({ question: "a", answer: 1 }, { question: "b", answer: 2 }));
  const other = await read(readerOf({ answer: 2, question: "b" }, { answer: 1, question: "a" }));

  expect(one.map(({ id }) => id)).toEqual(other.map(({ id }) => id).reverse());
  expect(new Set(one.map(({ id }) => id)).size).toBe(2);
  expect(one[0]?.id).toMatch(/^[0-9a-f]{12}$/);
});

const q = { question: "?" };
test.each<[string, Record<string, unknown>[], DatasetShape, Record<string, unknown>]>([
  [
    "two rows of one id",
    [
      { ...q, id: "a" },
      { ...q, id: "b" },
      { ...q, id: "a" },
    ],
    {},
    { code: "duplicate_id", where: "data.jsonl:3", what: 'the id "a" is taken already at data.jsonl:1' },
  ],
  [
    "a number and a text that are one id",
    [
      { ...q, n: 1 },
      { ...q, n: "1" },
    ],
    { id_key: "n" },
    { code: "duplicate_id", where: "data.jsonl:2", what: 'the n "1" is taken already at data.jsonl:1' },
  ],
  [
    "two equal rows without ids",
    [{ question: 1 }, { question: 2 }, { question: 2 }],
    {},
    { code: "duplicate_id", where: "data.jsonl:3", what: "the row says the same as the one at data.jsonl:2" },
  ],
  ["a row without an id after one with", [{ ...q, id: 1 }, q], {}, { code: "missing_id", where: "data.jsonl:2" }],
  [
    "a row with an id after one without",
    [q, { ...q, id: 1 }],
    {},
    { code: "missing_id", where: "data.jsonl:2", what: expect.stringContaining("data.jsonl:1") },
  ],
  ["an empty id", [{ ...q, id: "" }], {}, { code: "missing_id", where: "data.jsonl:1", what: /empty/ }],
  ["a null id", [{ ...q, id: null }], {}, { code: "missing_id", where: "data.jsonl:1", what: /empty/ }],
  ["an id of objects", [{ ...q, id: {} }], {}, { code: "missing_id", where: "data.jsonl:1", what: /object/ }],
  ["a misspelt id_key", [{ ...q, name: 1 }], { id_key: "nam" }, { code: "missing_id", what: /Did you mean "name"/ }],
  [
    "a row without a question",
    [
      { ...q, id: 1 },
      { id: 2, qestion: "?" },
    ],
    {},
    {
      code: "missing_question",
      where: "data.jsonl:2",
      what: 'the row has no "question". Did you mean "qestion"?',
      fix: /"id", "qestion"/,
    },
  ],
  ["a data set without rows", [], {}, { code: "empty_dataset", what: "the data set has no rows" }],
  [
    "a filter that leaves nothing",
    [
      { ...q, id: 1 },
      { ...q, id: 2 },
    ],
    { filter: { denylist: { field: { id: ["*"] } } } },
    { code: "empty_dataset", what: "the filter leaves none of 2 rows" },
  ],
  [
    "a filter on a misspelt column",
    [{ ...q, id: 1, level: "x" }],
    { filter: { denylist: { field: { levels: ["x"] } } } },
    { code: "unknown_column", what: /Did you mean "level"/ },
  ],
])("%s is an error that names the row", async (_, rows, shape, facts) => {
  const error = await read(readerOf(...rows), shape).catch((thrown) => thrown);

  const wanted = Object.entries(facts).map(([key, value]) => [
    key,
    value instanceof RegExp ? expect.stringMatching(value) : value,
  ]);
  expect(error).toMatchObject({ exit_code: 2, ...Object.fromEntries(wanted) });
});

test("examples come as rows are read: a fault further down does not hold back the first", async () => {
  const examples = readExamples(readerOf({ ...q, id: 1 }, { ...q, id: 1 }));

  expect((await examples.next()).value).toMatchObject({ id: "1" });
  await expect(examples.next()).rejects.toMatchObject({ code: "duplicate_id" });
});
