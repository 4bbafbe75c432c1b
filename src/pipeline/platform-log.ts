import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

/** What platforms that were started for a command say, one start after another. */
export interface PlatformLog {
  path: string;
  fd: number;
  /** What was written since it was opened here, and nothing that an earlier start said. */
  said(): string;
  close(): void;
}

/** A log that is longer gives way to a new one, and is kept as `platform.log.1`. */
const MOST_BYTES = 1 << 20;

/**
 * Opens `platform.log` of a data folder to add to it. Of two starts at one moment one does not come up: neither may take
 * away what the other has said.
 */
export function openPlatformLog(dir: string): PlatformLog {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, "platform.log");
  if (existsSync(path) && statSync(path).size > MOST_BYTES) renameSync(path, `${path}.1`);
  const fd = openSync(path, "a");
  const from = fstatSync(fd).size;
  return {
    path,
    fd,
    said: () => readFileSync(path).subarray(from).toString("utf8").trim(),
    close: () => closeSync(fd),
  };
}
