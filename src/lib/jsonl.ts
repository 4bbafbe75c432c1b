import { open } from "node:fs/promises";
import { PairwrightError } from "./errors.ts";

const NEWLINE = 0x0a;
const CHUNK_BYTES = 1 << 20;

/** One line of a file, without its newline. */
export interface Line {
  text: string;
  /** From 1. */
  number: number;
  /** Where the line starts, in bytes. */
  offset: number;
  /** In bytes, without the newline. */
  length: number;
  /** False when the file ends without a newline after it: a line that was perhaps cut. */
  complete: boolean;
}

/** The lines of a UTF-8 file, one at a time, empty ones left out. Memory: the longest line. */
export async function* readLines(path: string, signal?: AbortSignal): AsyncGenerator<Line> {
  const file = await open(path, "r");
  try {
    let rest: Buffer = Buffer.alloc(0);
    let offset = 0;
    let number = 0;
    let position = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      const piece = buffer.subarray(0, bytesRead);
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      let start = 0;
      // The part carried over holds no newline: search from where the new bytes begin.
      let end = bytes.indexOf(NEWLINE, rest.length);
      while (end !== -1) {
        number += 1;
        const length = end - start;
        if (length > 0) {
          yield { text: bytes.toString("utf8", start, end), number, offset: offset + start, length, complete: true };
        }
        start = end + 1;
        end = bytes.indexOf(NEWLINE, start);
      }
      rest = bytes.subarray(start);
      offset += start;
    }
    if (rest.length > 0) {
      yield { text: rest.toString("utf8"), number: number + 1, offset, length: rest.length, complete: false };
    }
  } finally {
    await file.close();
  }
}

/** A line that is not what it should be. Names file and line. */
export function badLine(path: string, number: number, problem: string, cause?: unknown): PairwrightError {
  return new PairwrightError({
    code: "bad_line",
    where: `${path}:${number}`,
    what: problem,
    fix: "mend or remove the line",
    exit_code: 2,
    cause,
  });
}

/** Each line's value. A line that is not JSON stops the read with file and number. */
export async function* readJsonl(path: string, signal?: AbortSignal): AsyncGenerator<{ value: unknown; line: Line }> {
  for await (const line of readLines(path, signal)) {
    let value: unknown;
    try {
      value = JSON.parse(line.text);
    } catch (cause) {
      throw badLine(path, line.number, "this line is not JSON", cause);
    }
    yield { value, line };
  }
}
