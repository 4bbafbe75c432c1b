import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";

const WRITE_AT = 1 << 20;

/**
 * Writes a file whole or not at all: to a temporary name beside it, flushed to disk, then renamed.
 * Missing folders are made.
 */
export async function writeFileWhole(path: string, chunks: string | AsyncIterable<string> | Iterable<string>) {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${randomBytes(4).toString("hex")}.partial`;
  try {
    const file = await open(partial, "wx");
    try {
      if (typeof chunks === "string") await file.writeFile(chunks);
      else await writeChunks(file, chunks);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Small pieces go out together: a write of its own for each would cost more than making it. */
async function writeChunks(file: FileHandle, chunks: AsyncIterable<string> | Iterable<string>): Promise<void> {
  let waiting: string[] = [];
  let characters = 0;
  for await (const chunk of chunks) {
    waiting.push(chunk);
    characters += chunk.length;
    if (characters < WRITE_AT) continue;
    await file.appendFile(waiting.join(""));
    waiting = [];
    characters = 0;
  }
  if (waiting.length > 0) await file.appendFile(waiting.join(""));
}

/** SHA-256 of a file's bytes, in hexadecimal; read in pieces. */
export async function fileSha256(path: string): Promise<string> {
  const digest = createHash("sha256");
  await pipeline(createReadStream(path), digest);
  return digest.digest("hex");
}

/** Whether something is there. Other faults than "not there" are thrown. */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return false;
    throw error;
  }
}

/** Whether a regular file is there. */
export async function isFile(path: string): Promise<boolean> {
  return (await exists(path)) && (await stat(path)).isFile();
}
