import { closeSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Place, ResponseIndex } from "./response-index.ts";
import { keyIn, VALUE_AT } from "./response-line.ts";

/** Where a segment ends at the latest: the index holds offsets of 32 bits. */
export const SEGMENT_LIMIT = 2 ** 32 - 1;

const NEWLINE = 0x0a;
const CHUNK = 1 << 22;
const OPEN_FILES = 64;

/** Reads a segment from front to end, and notes each whole line by its key. */
export async function indexSegment(path: string, segment: number, index: ResponseIndex): Promise<void> {
  const file = await open(path, "r");
  try {
    let buffer = Buffer.allocUnsafe(CHUNK);
    let held = 0;
    let offset = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, held, buffer.length - held, offset + held);
      if (bytesRead === 0) return;
      const end = held + bytesRead;
      let start = 0;
      for (let at = buffer.indexOf(NEWLINE, held); at !== -1 && at < end; at = buffer.indexOf(NEWLINE, start)) {
        noteLine(buffer, start, at, { segment, offset: offset + start, length: at - start }, index);
        start = at + 1;
      }
      held = end - start;
      offset += start;
      if (offset >= SEGMENT_LIMIT) return;
      // A line longer than the buffer needs a larger one.
      const next = held > buffer.length / 2 ? Buffer.allocUnsafe(buffer.length * 2) : buffer;
      buffer.copy(next, 0, start, end);
      buffer = next;
    }
  } finally {
    await file.close();
  }
}

function noteLine(buffer: Buffer, start: number, end: number, place: Place, index: ResponseIndex): void {
  if (end - start <= VALUE_AT) return;
  const key = keyIn(buffer.toString("latin1", start, start + VALUE_AT));
  if (key !== undefined) index.add(key, place);
}

/** Reads single lines of the segments of a folder. */
export interface SegmentReader {
  /** The line at a place; undefined when it cannot be read. */
  read(place: Place): string | undefined;
  close(): void;
}

/** Reads by position; keeps the files that were used last open. */
export function createSegmentReader(segments: readonly string[]): SegmentReader {
  const files = new Map<number, number>();

  function fileOf(segment: number): number {
    const known = files.get(segment);
    if (known !== undefined) return known;
    if (files.size >= OPEN_FILES) {
      for (const [oldest, file] of files) {
        closeSync(file);
        files.delete(oldest);
        break;
      }
    }
    const file = openSync(segments[segment] ?? "", "r");
    files.set(segment, file);
    return file;
  }

  return {
    read({ segment, offset, length }) {
      try {
        const bytes = Buffer.allocUnsafe(length);
        const read = readSync(fileOf(segment), bytes, 0, length, offset);
        return read === length ? bytes.toString("utf8") : undefined;
      } catch {
        // Removed meanwhile: as good as never stored.
        return undefined;
      }
    },
    close() {
      for (const file of files.values()) closeSync(file);
      files.clear();
    },
  };
}
