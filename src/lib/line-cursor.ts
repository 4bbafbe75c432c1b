import { open } from "node:fs/promises";

const CHUNK_BYTES = 1 << 20;

/**
 * Lines of a file one by one, as bytes in a text: each character is one byte (latin1), so that lines go from file to
 * file unread and unchanged. Several cursors can be open at once. Every line must end with a newline.
 */
export interface LineCursor extends AsyncDisposable {
  /** The next line with its newline, or `undefined` when `fill` must be awaited first. */
  take(): string | undefined;
  /** Reads on; false at the end of the file. */
  fill(): Promise<boolean>;
}

/** Opens a file for reading line by line. */
export async function openLineCursor(path: string): Promise<LineCursor> {
  const file = await open(path, "r");
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let text = "";
  let from = 0;
  return {
    take() {
      const end = text.indexOf("\n", from);
      if (end === -1) return undefined;
      const line = text.slice(from, end + 1);
      from = end + 1;
      return line;
    },
    async fill() {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, null);
      text = text.slice(from) + chunk.toString("latin1", 0, bytesRead);
      from = 0;
      return bytesRead > 0;
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}
