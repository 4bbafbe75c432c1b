import { z } from "zod";
import { badLine, readLines } from "../../lib/jsonl.ts";
import type { DatasetRow } from "../../registry/dataset.ts";
import type { Component } from "../../registry/registry.ts";
import { checkDataFile, type DataFile, isRow, shapeName } from "./data-file.ts";
import { datasetOptions, shapeOf } from "./dataset-options.ts";

const options = z.strictObject(datasetOptions);

/** A file with one object a line. Streams: memory holds one line. */
export const jsonlDataset: Component<"dataset", typeof options> = {
  description: "Rows from a JSON Lines file: one object a line.",
  options,
  build: ({ options, path }) => {
    const file = { written: options.file_path, path: path(options.file_path) };
    return { file: file.path, shape: shapeOf(options), rows: () => jsonlRows(file) };
  },
};

async function* jsonlRows(file: DataFile): AsyncGenerator<DatasetRow> {
  await checkDataFile(file);
  for await (const { text: raw, number } of readLines(file.path)) {
    const text = number === 1 ? raw.replace(/^\uFEFF/, "") : raw;
    if (text.trim() === "") continue;
    let row: unknown;
    try {
      row = JSON.parse(text);
    } catch {
      // The parser's own message quotes the data, so it is neither shown nor kept.
      throw badLine(file.written, number, "this line is not JSON");
    }
    if (!isRow(row)) throw badLine(file.written, number, `a row is an object; this is ${shapeName(row)}`);
    yield { row, where: `${file.written}:${number}` };
  }
}
