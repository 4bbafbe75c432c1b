import { codeOf, messageOf, usageError } from "../lib/errors.ts";
import { badLine, readLines } from "../lib/jsonl.ts";
import { type Method, parseRow, type RowOf } from "./dataset-rows.ts";

/** A row with the number of its line, from 1. */
export interface NumberedRow<M extends Method> {
  line: number;
  row: RowOf[M];
}

/**
 * The rows of a JSONL file, one at a time. A byte order mark, `\r\n` and blank lines are passed over. Errors: `bad_line`
 * (with file and line) for what is no JSON or no row of this method, `dataset_empty`, `dataset_unreadable`.
 */
export async function* readRows<M extends Method>(
  path: string,
  method: M,
  signal?: AbortSignal,
): AsyncGenerator<NumberedRow<M>> {
  let rows = 0;
  for await (const { text, number } of linesOf(path, signal)) {
    const line = number === 1 && text.startsWith("\uFEFF") ? text.slice(1) : text;
    if (line.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      // The cause would quote the row.
      throw badLine(path, number, "this line is not JSON");
    }
    const parsed = parseRow(value, method);
    if ("problem" in parsed) throw badLine(path, number, parsed.problem);
    rows += 1;
    yield { line: number, row: parsed.row };
  }
  if (rows > 0) return;
  throw usageError({
    code: "dataset_empty",
    where: path,
    what: "the data set holds no row",
    fix: "collect more examples, or look at why no pair was made (manifest.json beside it)",
  });
}

async function* linesOf(path: string, signal?: AbortSignal) {
  try {
    yield* readLines(path, signal);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw error;
    throw usageError({
      code: "dataset_unreadable",
      where: path,
      what: `the file cannot be read (${messageOf(error, 100)})`,
      fix: "give a file that can be read",
      cause: error,
    });
  }
}
