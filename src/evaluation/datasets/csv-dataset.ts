import { createReadStream } from "node:fs";
import { z } from "zod";
import { codeOf, PairwrightError, usageError } from "../../lib/errors.ts";
import type { DatasetRow } from "../../registry/dataset.ts";
import type { Component } from "../../registry/registry.ts";
import { checkDataFile, type DataFile } from "./data-file.ts";
import { datasetOptions, shapeOf } from "./dataset-options.ts";

const options = z.strictObject({
  ...datasetOptions,
  delimiter: z.string().min(1).max(4).default(",").describe('what stands between two cells; "\\t" for a tab'),
});

/** A file whose first line names the columns. Streams; every cell is a text, an empty one the empty text. */
export const csvDataset: Component<"dataset", typeof options> = {
  description: "Rows from a CSV file with a header line.",
  options,
  build: ({ options, path }) => {
    const file = { written: options.file_path, path: path(options.file_path) };
    return { file: file.path, shape: shapeOf(options), rows: () => csvRows(file, options.delimiter) };
  },
};

interface Parsed {
  record: Record<string, unknown>;
  info: { records: number };
}

async function* csvRows(file: DataFile, delimiter: string): AsyncGenerator<DatasetRow> {
  await checkDataFile(file);
  const { parse } = await import("csv-parse");
  const parser = parse({
    bom: true,
    delimiter,
    info: true,
    skip_empty_lines: true,
    columns: (header: string[]) => checkHeader(file.written, header, delimiter),
  });
  const source = createReadStream(file.path);
  source.on("error", (error) => parser.destroy(error));
  source.pipe(parser);
  try {
    for await (const { record, info } of parser as AsyncIterable<Parsed>) {
      yield { row: record, where: `${file.written}: row ${info.records}` };
    }
  } catch (error) {
    throw csvFault(file.written, error);
  } finally {
    source.destroy();
    parser.destroy();
  }
}

function checkHeader(written: string, header: string[], delimiter: string): string[] {
  const names = header.map((name) => name.trim());
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (!names.includes("") && twice === undefined) return names;
  throw usageError({
    code: "dataset_shape",
    where: `${written}:1`,
    what: twice ? `two columns are called "${twice}"` : `column ${names.indexOf("") + 1} has no name`,
    fix: `the first line names the columns, with ${JSON.stringify(delimiter)} between them`,
  });
}

const FAULTS: Record<string, string> = {
  CSV_RECORD_INCONSISTENT_COLUMNS: "this row has another number of cells than the header",
  CSV_RECORD_INCONSISTENT_FIELDS_LENGTH: "this row has another number of cells than the header",
  CSV_QUOTE_NOT_CLOSED: "a quote opens and never closes",
  CSV_INVALID_CLOSING_QUOTE: "a quoted cell goes on after its closing quote",
  INVALID_OPENING_QUOTE: "a quote stands inside a cell that is not quoted",
};

/** In our own words: the parser's messages quote the data. */
function csvFault(written: string, error: unknown): unknown {
  if (PairwrightError.is(error)) return error;
  const code = codeOf(error) ?? "";
  if (!(error instanceof Error) || !("lines" in error)) return error;
  const records = "records" in error && typeof error.records === "number" ? `, row ${error.records + 1}` : "";
  const counted = "record" in error && Array.isArray(error.record) ? ` (it has ${error.record.length})` : "";
  return usageError({
    code: "bad_line",
    where: `${written}:${error.lines}${records}`,
    what: `${FAULTS[code] ?? `this is not CSV (${code})`}${counted}`,
    fix: "mend the row: cells that hold the delimiter, a quote or a line break stand in double quotes",
  });
}
