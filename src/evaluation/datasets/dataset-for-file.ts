import { extname } from "node:path";
import { usageError } from "../../lib/errors.ts";

const TYPES: Record<string, { type: string; options?: Record<string, unknown> }> = {
  ".json": { type: "json" },
  ".jsonl": { type: "jsonl" },
  ".ndjson": { type: "jsonl" },
  ".csv": { type: "csv" },
  ".tsv": { type: "csv", options: { delimiter: "\t" } },
};

/**
 * The data-set section for a file named on the command line: `_type` by its ending, and what the section that it
 * replaces says about rows (`id_key`, `structure`, `filter`), whatever that one's type was. A `delimiter` stays for csv.
 */
export function datasetForFile(
  file: string,
  previous: Record<string, unknown> = {},
): { _type: string; file_path: string; [option: string]: unknown } {
  const known = TYPES[extname(file).toLowerCase()];
  if (known === undefined) {
    throw usageError({
      code: "unknown_dataset_type",
      where: file,
      what: `the ending does not say what kind of data set this is; known are ${Object.keys(TYPES).join(", ")}`,
      fix: "rename the file, or write a dataset section with its _type",
    });
  }
  const kept = ["id_key", "structure", "filter"].filter((key) => previous[key] !== undefined);
  if (known.type === "csv" && previous.delimiter !== undefined && known.options === undefined) kept.push("delimiter");
  return {
    _type: known.type,
    file_path: file,
    ...known.options,
    ...Object.fromEntries(kept.map((key) => [key, previous[key]])),
  };
}
