import type { FileHandle } from "node:fs/promises";

const NEWLINE = 0x0a;
const PIECE = 1 << 20;

/** A part of a file, in bytes; `size` is where the file is taken to end, however it grows. */
export interface ByteRange {
  start: number;
  end: number;
  size: number;
}

/** Whole lines, in memory that the next range may use again. */
export interface LinesOfRange {
  /** From the start of the first line to the end of the last one. */
  bytes: Buffer;
  /** Where they begin in the file. */
  offset: number;
  memory: Buffer;
}

/**
 * The lines that start within a range, whole: ranges that follow one another give each line once, and a line that goes
 * through several ranges belongs to the first. Memory: the range, and the longest line.
 */
export async function readLineRange(file: FileHandle, range: ByteRange, memory: Buffer): Promise<LinesOfRange> {
  const { start, end, size } = range;
  // With the byte before, a line that starts just here is told from one that goes on.
  const from = Math.max(0, start - 1);
  let held = await readFully(file, memory, 0, from, end);
  let bytes = held.memory.subarray(0, held.length);
  const begin = start === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
  if ((start > 0 && begin === 0) || begin >= bytes.length) {
    return { bytes: bytes.subarray(0, 0), offset: start, memory: held.memory };
  }
  let read = held.length;
  let piece = PIECE;
  while (bytes[bytes.length - 1] !== NEWLINE && from + read < size) {
    const next = Math.min(size, from + read + piece);
    held = await readFully(file, held.memory, read, from + read, next);
    if (held.length === read) break;
    const newline = held.memory.subarray(read, held.length).indexOf(NEWLINE);
    read = newline === -1 ? held.length : read + newline + 1;
    bytes = held.memory.subarray(0, read);
    piece *= 2;
  }
  return { bytes: bytes.subarray(begin), offset: from + begin, memory: held.memory };
}

/** Reads from `from` to `to` behind the first `filled` bytes; the memory grows when it must. */
async function readFully(
  file: FileHandle,
  memory: Buffer,
  filled: number,
  from: number,
  to: number,
): Promise<{ memory: Buffer; length: number }> {
  const wanted = filled + to - from;
  let held = memory;
  if (held.length < wanted) {
    held = Buffer.allocUnsafeSlow(wanted);
    memory.copy(held, 0, 0, filled);
  }
  let length = filled;
  while (length < wanted) {
    const { bytesRead } = await file.read(held, length, wanted - length, from + length - filled);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return { memory: held, length };
}

/** Calls `take` with each line, without its newline, with where it starts in `bytes`, and gives their number. */
export function forEachLine(bytes: Buffer, take: (line: Buffer, at: number, number: number) => void): number {
  let number = 0;
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline === -1 ? bytes.length : newline;
    number += 1;
    take(bytes.subarray(at, end), at, number);
    at = end + 1;
  }
  return number;
}
