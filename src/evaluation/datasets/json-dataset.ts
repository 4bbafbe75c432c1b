import { readFile } from "node:fs/promises";
import { z } from "zod";
import { usageError } from "../../lib/errors.ts";
import { jsonFaultOffset } from "../../lib/json-text.ts";
import type { DatasetRow } from "../../registry/dataset.ts";
import type { Component } from "../../registry/registry.ts";
import { checkDataFile, type DataFile, isRow, shapeName } from "./data-file.ts";
import { datasetOptions, shapeOf } from "./dataset-options.ts";

const options = z.strictObject(datasetOptions);

/** A file that holds one array of objects. Read as a whole: for long data sets `jsonl` is the one that streams. */
export const jsonDataset: Component<"dataset", typeof options> = {
  description: "Rows from a JSON file: one array of objects.",
  options,
  build: ({ options, path }) => {
    const file = { written: options.file_path, path: path(options.file_path) };
    return { file: file.path, shape: shapeOf(options), rows: () => jsonRows(file) };
  },
};

async function* jsonRows(file: DataFile): AsyncGenerator<DatasetRow> {
  await checkDataFile(file);
  const value = parse(file.written, (await readFile(file.path, "utf8")).replace(/^\uFEFF/, ""));
  if (!Array.isArray(value)) {
    throw usageError({
      code: "dataset_shape",
      where: file.written,
      what: `a JSON data set is an array of objects; this is ${shapeName(value)}`,
      fix: wrapFix(value),
    });
  }
  for (const [index, row] of value.entries()) {
    const where = `${file.written}: row ${index + 1}`;
    if (!isRow(row)) {
      throw usageError({
        code: "dataset_shape",
        where,
        what: `a row is an object; this is ${shapeName(row)}`,
        fix: 'write it as {"question": …}',
      });
    }
    yield { row, where };
  }
}

function parse(written: string, text: string): unknown {
  if (text.trim() === "") {
    throw usageError({
      code: "empty_dataset",
      where: written,
      what: "the file is empty",
      fix: "write an array of objects into it",
    });
  }
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the data, so it is neither shown nor kept.
    const before = text.slice(0, jsonFaultOffset(text) ?? text.length);
    const line = before.split("\n").length;
    const column = before.length - before.lastIndexOf("\n");
    const severalRows = /^\s*\{[^\n]*\}\s*\n\s*\{/.test(text);
    throw usageError({
      code: "dataset_not_json",
      where: `${written}:${line}:${column}`,
      what: "the file is not JSON from here on",
      fix: severalRows ? "one object a line is jsonl: use _type: jsonl" : "mend the file",
    });
  }
}

function wrapFix(value: unknown): string {
  if (!isRow(value)) return "write the rows as [{…}, {…}]";
  const key = Object.keys(value).find((name) => Array.isArray(value[name]));
  return key === undefined ? "put the object into an array" : `keep only the array under "${key}"`;
}
