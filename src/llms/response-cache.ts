import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Logger, silentLogger } from "../lib/log.ts";
import { ResponseIndex } from "./response-index.ts";
import { lineOf, valueIn } from "./response-line.ts";
import { createSegmentReader, indexSegment } from "./response-segment.ts";
import { createSegmentWriter } from "./response-writer.ts";

/** Replies kept on the disk, by the hash of what was asked. Several processes may share a folder. */
export interface ResponseCache {
  /** Entries known. */
  readonly size: number;
  /** The JSON text that was put, or undefined. `key` is 64 hexadecimal digits. Reads the disk at once: microseconds. */
  get(key: string): string | undefined;
  /** Keeps JSON text. Returns at once; a crash loses the last fraction of a second. A key that is there stays as it is. */
  put(key: string, json: string): void;
  /** Writes what is waiting, then closes. */
  close(): Promise<void>;
}

/**
 * Opens the cache in a folder, which is made when missing. Each process appends to segments of its own
 * (`responses-….jsonl`) and reads those of all that ran before it: what another process puts meanwhile is seen at the
 * next opening. A torn or foreign line is passed over. When writing fails, on a full disk for instance, that is said
 * once and nothing more is kept: a cache never stops a run.
 */
export async function openResponseCache(folder: string, log: Logger = silentLogger): Promise<ResponseCache> {
  await mkdir(folder, { recursive: true });
  const index = new ResponseIndex();
  const segments = (await readdir(folder))
    .filter((name) => /^responses-.+\.jsonl$/.test(name))
    .sort()
    .map((name) => join(folder, name));
  for (const [segment, path] of segments.entries()) await indexSegment(path, segment, index);
  const reader = createSegmentReader(segments);
  const writer = createSegmentWriter(folder, segments, log);

  return {
    get size() {
      return index.size;
    },
    get(key) {
      const place = index.get(key);
      if (place === undefined) return undefined;
      const line = writer.waiting(place) ?? reader.read(place);
      return line === undefined ? undefined : valueIn(line, key);
    },
    put(key, json) {
      if (!writer.failed && index.get(key) === undefined) index.add(key, writer.append(lineOf(key, json)));
    },
    async close() {
      await writer.close();
      reader.close();
    },
  };
}
