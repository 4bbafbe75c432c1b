import { randomBytes } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Place } from "./response-index.ts";

const FLUSH_AFTER_MS = 50;
const FLUSH_AT_CHARACTERS = 1 << 19;
const ROTATE_AT = 2 ** 31;

/** Appends lines to segments of this process's own. */
export interface SegmentWriter {
  /** True after a write failed: nothing more is kept. */
  readonly failed: boolean;
  /** Returns at once where the line will lie; it is on its way to the disk within 50 ms. */
  append(line: string): Place;
  /** The line at a place, while it is not in its file yet. */
  waiting(place: Place): string | undefined;
  close(): Promise<void>;
}

/** `segments` gets the new files' paths; a file is made when the first line comes. No fsync: the tail may be lost. */
export function createSegmentWriter(folder: string, segments: string[], log: Logger): SegmentWriter {
  const unwritten = new Map<number, string>();
  let segment = -1;
  let end = 0;
  let batch: { file: string; offsets: number[]; text: string } | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let handle: { file: string; handle: FileHandle } | undefined;
  let failed = false;

  function append(line: string): Place {
    if (segment === -1 || end > ROTATE_AT) {
      flush();
      segment = segments.push(join(folder, `responses-${randomBytes(8).toString("hex")}.jsonl`)) - 1;
      end = 0;
    }
    const place = { segment, offset: end, length: Buffer.byteLength(line) };
    end += place.length + 1;
    unwritten.set(idOf(place), line);
    batch ??= { file: segments[segment] ?? "", offsets: [], text: "" };
    batch.offsets.push(idOf(place));
    batch.text += `${line}\n`;
    if (batch.text.length > FLUSH_AT_CHARACTERS) flush();
    else timer ??= setTimeout(flush, FLUSH_AFTER_MS).unref();
    return place;
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const full = batch;
    batch = undefined;
    if (full !== undefined) writing = writing.then(() => write(full));
  }

  async function write({ file, offsets, text }: { file: string; offsets: number[]; text: string }): Promise<void> {
    try {
      if (failed) return;
      if (handle?.file !== file) {
        await handle?.handle.close();
        handle = { file, handle: await open(file, "ax") };
      }
      await handle.handle.appendFile(text);
    } catch (error) {
      // A line that is half there is passed over at the next opening.
      failed = true;
      log.warn(`the response cache keeps nothing more: ${messageOf(error)}`);
    } finally {
      for (const id of offsets) unwritten.delete(id);
    }
  }

  return {
    get failed() {
      return failed;
    },
    append,
    waiting: (place) => unwritten.get(idOf(place)),
    async close() {
      flush();
      await writing;
      await handle?.handle.close();
    },
  };
}

/** One number for segment and offset; exact, since there are far fewer than 2^21 segments. */
function idOf({ segment, offset }: Place): number {
  return segment * 2 ** 32 + offset;
}
