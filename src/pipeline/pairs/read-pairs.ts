import { createReadStream } from "node:fs";
import { extname } from "node:path";
import { parse } from "csv-parse";
import { usageError } from "../../lib/errors.ts";
import { badLine, readJsonl } from "../../lib/jsonl.ts";
import type { DatasetFormat, ReadPair } from "../../registry/training.ts";

export type NamedFormats = readonly { name: string; format: DatasetFormat }[];

/** A pair where it stands in its file. */
export interface PairInFile {
  pair: ReadPair;
  /** The name of the format that its row is of. */
  format: string;
  line: number;
}

/**
 * The pairs of a file, of the format named or of the first one that knows its first row. A row of another kind is an error
 * that names its line. A `.csv` file has the columns `prompt`, `chosen`, `rejected`; a cell that is JSON of messages is them.
 */
export async function* readPairs(
  path: string,
  { from, formats, signal }: { from?: string | undefined; formats: NamedFormats; signal?: AbortSignal | undefined },
): AsyncGenerator<PairInFile> {
  if (from === "parquet" || extname(path) === ".parquet") throw noParquet(path);
  const isCsv = from === "csv" || (from === undefined && extname(path) === ".csv");
  let known = from === undefined || isCsv ? undefined : formatNamed(from, formats);
  for await (const { row, line } of isCsv ? csvRows(path) : jsonRows(path, signal)) {
    known ??= formats.find(({ format }) => format.read?.(row) !== undefined);
    if (known === undefined) throw unknownRow(path, line, formats);
    const pair = known.format.read?.(row);
    if (pair === undefined) throw badLine(path, line, `this is no row of ${known.name}`);
    if ("problem" in pair) throw badLine(path, line, pair.problem);
    yield { pair, format: known.name, line };
  }
}

function formatNamed(name: string, formats: NamedFormats): NamedFormats[number] {
  const known = formats.find((one) => one.name === name && one.format.read !== undefined);
  if (known !== undefined) return known;
  const names = formats.filter(({ format }) => format.read !== undefined).map((one) => one.name);
  throw usageError({
    code: "unknown_format",
    where: `--from ${name}`,
    what: "there is no format of this name that can be read",
    fix: `known are ${[...names, "csv"].join(", ")}`,
  });
}

function unknownRow(path: string, line: number, formats: NamedFormats) {
  return usageError({
    code: "unknown_row_format",
    where: `${path}:${line}`,
    what: "no format knows this row",
    fix: `give --from with its format: ${formats.map((one) => one.name).join(", ")}`,
  });
}

function noParquet(path: string) {
  return usageError({
    code: "no_parquet",
    where: path,
    what: "parquet is not read here",
    fix: "write it as lines of JSON first, such as with pandas: read_parquet(F).to_json(G, orient='records', lines=True)",
  });
}

async function* jsonRows(
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ row: unknown; line: number }> {
  for await (const { value, line } of readJsonl(path, signal)) yield { row: value, line: line.number };
}

async function* csvRows(path: string): AsyncGenerator<{ row: unknown; line: number }> {
  const parser = createReadStream(path).pipe(parse({ columns: true, bom: true, info: true }));
  for await (const { record, info } of parser as AsyncIterable<{
    record: Record<string, string>;
    info: { lines: number };
  }>) {
    const cells = Object.entries(record).map(([name, cell]) => [name, cellOf(name, cell)]);
    yield { row: Object.fromEntries(cells), line: info.lines };
  }
}

const NUMBERS = /_(score|reward)$|^reward_gap$/;

/** A cell is a text, but where it is the JSON of a list or an object, or a score. */
function cellOf(name: string, cell: string): unknown {
  if (NUMBERS.test(name)) return cell === "" ? undefined : Number(cell);
  if (!/^\s*[[{]/.test(cell)) return cell;
  try {
    return JSON.parse(cell);
  } catch {
    return cell;
  }
}
