import { createHash, type Hash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";

const WRITE_AT = 1 << 20;

/**
 * Writes a file whole or not at all: to a temporary name beside it, flushed to disk, then renamed.
 * Missing folders are made. Gives back the SHA-256 of what was written, in hexadecimal.
 */
export async function writeFileWhole(
  path: string,
  chunks: string | AsyncIterable<string> | Iterable<string>,
): Promise<string> {
  const digest = createHash("sha256");
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${randomBytes(4).toString("hex")}.partial`;
  try {
    const file = await open(partial, "wx");
    try {
      await writeChunks(file, typeof chunks === "string" ? [chunks] : chunks, digest);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    return digest.digest("hex");
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Small pieces go out together: a write of its own for each would cost more than making it. */
async function writeChunks(
  file: FileHandle,
  chunks: AsyncIterable<string> | Iterable<string>,
  digest: Hash,
): Promise<void> {
  let waiting: string[] = [];
  let characters = 0;
  async function write(): Promise<void> {
    const bytes = Buffer.from(waiting.join(""), "utf8");
    waiting = [];
    characters = 0;
    digest.update(bytes);
    await file.appendFile(bytes);
  }
  for await (const chunk of chunks) {
    waiting.push(chunk);
    characters += chunk.length;
    if (characters >= WRITE_AT) await write();
  }
  if (waiting.length > 0) await write();
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
