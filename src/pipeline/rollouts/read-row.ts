import { constants, isAscii, isUtf8 } from "node:buffer";
import { parseLooseJson } from "../../lib/loose-json.ts";
import type { PlainReader, PlainRollout } from "../../preferences/rollouts/plain-rollout.ts";
import type { RolloutRecord } from "../../records/rollout.ts";
import type { RolloutReader } from "../../registry/training.ts";

/** A line as its reader took it, or what is wrong with it. A blank line is neither. */
export type ReadRow = { row: unknown; rollouts: RolloutRecord[] } | { problem: string } | undefined;

const CARRIAGE_RETURN = 0x0d;
/** What is remembered of a row is as long as the row. */
export const MAX_PLAIN = 1 << 20;

/** Reads one line of a file of rollouts; `isFirst` may begin with a byte-order mark. */
export function readRow(line: Buffer, reader: RolloutReader, isFirst: boolean): ReadRow {
  const value = parseLine(line, isFirst);
  if (value === undefined || "problem" in value) return value;
  const rollouts = reader.rollouts(value.row);
  return "problem" in rollouts ? rollouts : { row: value.row, rollouts };
}

/** The value that a line is in JSON. */
export function parseLine(line: Buffer, isFirst: boolean): { row: unknown } | { problem: string } | undefined {
  const bytes = contentOf(line, isFirst);
  if (bytes.length > constants.MAX_STRING_LENGTH) return { problem: `this line has ${bytes.length} bytes: too many` };
  const isPlain = isAscii(bytes);
  if (!isPlain && !isUtf8(bytes)) return { problem: "this line is not UTF-8" };
  // The same text, and made in half the time.
  const text = bytes.toString(isPlain ? "latin1" : "utf8");
  try {
    return { row: parseLooseJson(text) };
  } catch {
    return text.trim() === "" ? undefined : { problem: "this line is not JSON" };
  }
}

/** The plain rollout that a line is; `undefined` when it is another one, or none. */
export function readPlain(line: Buffer, reader: PlainReader | undefined, isFirst: boolean): PlainRollout | undefined {
  if (reader === undefined || line.length > MAX_PLAIN) return undefined;
  return reader.read(contentOf(line, isFirst));
}

/** A line without a byte-order mark and a carriage return. */
function contentOf(line: Buffer, isFirst: boolean): Buffer {
  const end = line[line.length - 1] === CARRIAGE_RETURN ? line.length - 1 : line.length;
  const start = isFirst && line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf ? 3 : 0;
  return line.subarray(start, end);
}
