import { type FileHandle, open } from "node:fs/promises";

/** A file that only grows, whole lines at a time, each on the disk before its promise resolves. */
export interface LineAppender extends AsyncDisposable {
  /** Resolves once the line is on the disk (fsync). Lines keep the order of the calls. */
  append(line: string): Promise<void>;
  /**
   * Takes the line without waiting for the disk, unless the disk is far behind: then there is a promise to wait for.
   * Whether all went well, `flush` tells.
   */
  appendSoon(line: string): Promise<void> | undefined;
  /** Waits until every line is on the disk; throws what went wrong with any of them. */
  flush(): Promise<void>;
  /** Waits for all that was appended, then closes. */
  close(): Promise<void>;
  /** What was found and done at opening, in words; `undefined` when the file was whole. */
  readonly healed: string | undefined;
}

const FAR_BEHIND = 256;

/**
 * Opens a log for appending. Lines that arrive while one write is under way go out together in the next one, with one
 * fsync for all of them (group commit). A last line without its newline is what a killed process leaves: it is cut off,
 * and said in `healed`. When a write fails (a full disk), the file is cut back to its last whole line and every append
 * from then on is refused with the same error.
 */
export async function openLineAppender(path: string): Promise<LineAppender> {
  const file = await open(path, "a+");
  const { size, healed } = await heal(file);
  let end = size;
  let waiting: { line: string; resolve: () => void; reject: (error: unknown) => void }[] = [];
  let writing: Promise<void> | undefined;
  let failure: unknown;

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      const bytes = Buffer.from(batch.map((entry) => `${entry.line}\n`).join(""), "utf8");
      try {
        if (failure !== undefined) throw failure;
        await writeFully(file, bytes);
        await file.datasync();
        end += bytes.length;
        for (const entry of batch) entry.resolve();
      } catch (error) {
        if (failure === undefined) {
          failure = error;
          // Best effort: the next opening heals whatever could not be cut off here.
          await file.truncate(end).catch(() => undefined);
        }
        for (const entry of batch) entry.reject(error);
      }
    }
    writing = undefined;
  }

  async function close(): Promise<void> {
    await writing;
    await file.close();
  }

  function append(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      waiting.push({ line, resolve, reject });
      writing ??= Promise.resolve().then(drain);
    });
  }

  return {
    healed,
    append,
    appendSoon(line) {
      const written = append(line);
      if (waiting.length > FAR_BEHIND) return written;
      // `flush` throws it.
      written.catch(() => undefined);
      return undefined;
    },
    async flush() {
      await writing;
      if (failure !== undefined) throw failure;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function writeFully(file: FileHandle, bytes: Buffer): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written);
    written += bytesWritten;
  }
}

async function heal(file: FileHandle): Promise<{ size: number; healed: string | undefined }> {
  const { size } = await file.stat();
  const chunk = Buffer.alloc(1 << 16);
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - chunk.length);
    await file.read(chunk, 0, end - start, start);
    const newline = chunk.subarray(0, end - start).lastIndexOf(0x0a);
    if (newline !== -1) {
      end = start + newline + 1;
      break;
    }
    end = start;
  }
  if (end === size) return { size, healed: undefined };
  await file.truncate(end);
  await file.datasync();
  return { size: end, healed: `cut off a half-written last line of ${size - end} bytes` };
}
