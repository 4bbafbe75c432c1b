import type { FileHandle } from "node:fs/promises";

const NEWLINE = 10;

/** The number, from 1, of the line that starts at an offset. It reads all that is before: a place is kept without it. */
export async function lineAt(file: FileHandle, offset: number): Promise<number> {
  const memory = Buffer.allocUnsafe(1 << 20);
  let line = 1;
  for (let at = 0; at < offset; ) {
    const { bytesRead } = await file.read(memory, 0, Math.min(memory.length, offset - at), at);
    if (bytesRead === 0) break;
    for (
      let byte = memory.indexOf(NEWLINE);
      byte !== -1 && byte < bytesRead;
      byte = memory.indexOf(NEWLINE, byte + 1)
    ) {
      line += 1;
    }
    at += bytesRead;
  }
  return line;
}
