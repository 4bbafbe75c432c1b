import { usageError } from "../lib/errors.ts";
import type { Method } from "./dataset-rows.ts";
import { readRows } from "./read-rows.ts";
import { createRowEncoder, type EncodedOf, type RowEncoderOptions } from "./row-encoder.ts";

const NAMED_LINES = 5;

/** How many rows, and the lines of the first few. */
export interface Counted {
  count: number;
  lines: number[];
}

/** What became of a file's rows: `used` are those that are trained on, `truncated` are some of them. */
export interface RowReport {
  path: string;
  rows: number;
  used: number;
  /** The prompt alone leaves no room for a completion token. */
  too_long: Counted;
  /** Chosen and rejected are the same tokens. */
  identical: Counted;
  /** A completion was cut at its end, and has no end token. */
  truncated: Counted;
}

export interface EncodedDataset<M extends Method> {
  rows: EncodedOf[M][];
  report: RowReport;
}

/**
 * All rows of a file as ids, in their order, and what became of each. Errors: those of `readRows` and of the encoder;
 * `dataset_unusable` when no row is left.
 */
export async function encodeDataset<M extends Method>(
  method: M,
  options: RowEncoderOptions,
  signal?: AbortSignal,
): Promise<EncodedDataset<M>> {
  const { path, max_length } = options;
  const encoder = createRowEncoder(options);
  const rows: EncodedOf[M][] = [];
  const report: RowReport = { path, rows: 0, used: 0, too_long: none(), identical: none(), truncated: none() };
  for await (const numbered of readRows(path, method, signal)) {
    report.rows += 1;
    const encoded = encoder.encode(method, numbered);
    if (encoded.why !== null) {
      count(report[encoded.why], numbered.line);
      continue;
    }
    if (encoded.truncated) count(report.truncated, numbered.line);
    rows.push(encoded.row);
  }
  report.used = rows.length;
  if (rows.length > 0) return { rows, report };
  throw usageError({
    code: "dataset_unusable",
    where: path,
    what: `none of the ${report.rows} rows can be trained on: ${describeLeftOut(report, max_length).join("; ")}`,
    fix: report.too_long.count > 0 ? "raise max_length, or shorten the prompts" : "collect pairs whose replies differ",
  });
}

/** One line for each kind of row that was left out or cut; nothing when all rows are used whole. */
export function describeLeftOut(report: RowReport, max_length: number): string[] {
  const { too_long, identical, truncated } = report;
  const kinds: [Counted, string][] = [
    [too_long, `left out: the prompt alone has ${max_length} tokens or more`],
    [identical, "left out: chosen and rejected are the same tokens"],
    [truncated, `used with a completion cut at ${max_length} tokens`],
  ];
  return kinds
    .filter(([counted]) => counted.count > 0)
    .map(([{ count: rows, lines }, what]) => {
      const more = rows > lines.length ? ", ..." : "";
      return `${rows} ${rows === 1 ? "row" : "rows"} ${what} (${lines.length === 1 ? "line" : "lines"} ${lines.join(", ")}${more})`;
    });
}

function none(): Counted {
  return { count: 0, lines: [] };
}

function count(counted: Counted, line: number): void {
  counted.count += 1;
  if (counted.lines.length < NAMED_LINES) counted.lines.push(line);
}
