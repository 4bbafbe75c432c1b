import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { codeOf } from "../../lib/errors.ts";
import { flushFile, flushFolder } from "../../lib/flush.ts";
import { linkOrCopy } from "../../lib/link-or-copy.ts";
import { gitOid } from "./git-objects.ts";

/** Bytes that have come whole, under a temporary name: nobody finds them until `keep`. */
export interface Received {
  readonly sha256: string;
  readonly size: number;
  /** All of them, where they are few. */
  readonly small: Buffer | undefined;
  /** As git names these bytes. */
  oid(): Promise<string>;
  /** Gives the bytes their name for good. Nothing happens where they are there already. */
  keep(): Promise<void>;
  discard(): Promise<void>;
}

export interface BlobWriter {
  write(chunk: Uint8Array): Promise<void>;
  /** The bytes are on disk when this returns. */
  end(): Promise<Received>;
  discard(): Promise<void>;
}

/** Files by their SHA-256: DIR/ab/cdef... A file that has its name is whole and on disk. */
export interface BlobStore {
  path(sha256: string): string;
  /** Bytes of a blob; undefined where it is not there. */
  size(sha256: string): Promise<number | undefined>;
  writer(): BlobWriter;
  /** Takes in a file: a hard link of it where the file system has them, else a copy. It must not be changed in place afterwards. */
  take(path: string): Promise<Received>;
}

/** So much is collected before it is written: a write of its own for each piece from the network would cost more. */
const WRITE_AT = 1 << 18;

/** Opens the store; what uploads left that were cut off is removed. */
export async function blobStore(dir: string): Promise<BlobStore> {
  const temporary = join(dir, "tmp");
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  const path = (sha256: string) => join(dir, sha256.slice(0, 2), sha256.slice(2));
  const temporaryName = () => join(temporary, randomBytes(12).toString("hex"));
  const store: BlobStore = {
    path,
    async size(sha256) {
      try {
        return (await stat(path(sha256))).size;
      } catch (error) {
        if (codeOf(error) === "ENOENT") return undefined;
        throw error;
      }
    },
    writer() {
      const name = temporaryName();
      return blobWriter(name, (facts) => received(name, facts));
    },
    async take(source) {
      const name = temporaryName();
      await linkOrCopy(source, name);
      await flushFile(name);
      return received(name, await factsOf(name));
    },
  };
  function received(name: string, { sha256, size, small, oid }: Facts): Received {
    return {
      sha256,
      size,
      small,
      async oid() {
        if (oid !== undefined) return oid;
        return small === undefined ? blobOid(name, size) : gitOid("blob", small);
      },
      async keep() {
        if ((await store.size(sha256)) === undefined) return putInPlace(name, path(sha256));
        await rm(name, { force: true });
        // Another upload may have put it there this moment.
        await flushFolder(dirname(path(sha256)));
      },
      discard: () => rm(name, { force: true }),
    };
  }
  return store;
}

interface Facts {
  sha256: string;
  size: number;
  small?: Buffer | undefined;
  oid?: string;
}

/** Makes its file when it has something to write: few bytes need one turn at the disk, at their end. */
function blobWriter(name: string, whole: (facts: Facts) => Received): BlobWriter {
  const digest = createHash("sha256");
  let file: FileHandle | undefined;
  let size = 0;
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  async function flush(): Promise<Buffer> {
    const piece = Buffer.concat(waiting, bytes);
    waiting = [];
    bytes = 0;
    file ??= await open(name, "wx", 0o444);
    await file.appendFile(piece);
    return piece;
  }
  return {
    async write(chunk) {
      digest.update(chunk);
      size += chunk.byteLength;
      waiting.push(chunk);
      bytes += chunk.byteLength;
      if (bytes >= WRITE_AT) await flush();
    },
    async end() {
      const last = await flush();
      await file?.datasync();
      await file?.close();
      return whole({ sha256: digest.digest("hex"), size, small: last.length === size ? last : undefined });
    },
    async discard() {
      await file?.close();
      await rm(name, { force: true });
    },
  };
}

async function factsOf(path: string): Promise<Facts> {
  const { size } = await stat(path);
  const [content, object] = [createHash("sha256"), createHash("sha1").update(`blob ${size}\0`)];
  for await (const chunk of pieces(path)) {
    content.update(chunk);
    object.update(chunk);
  }
  return { sha256: content.digest("hex"), size, oid: object.digest("hex") };
}

function pieces(path: string): AsyncIterable<Buffer> {
  return createReadStream(path, { highWaterMark: 1 << 20 });
}

/** Git's hash begins with the length, which is known when all has come: a second look at the file. */
async function blobOid(path: string, size: number): Promise<string> {
  const digest = createHash("sha1").update(`blob ${size}\0`);
  for await (const chunk of pieces(path)) digest.update(chunk);
  return digest.digest("hex");
}

/** The bytes are on disk; then the name, then the folder that holds it: in this order nothing is ever half there. */
async function putInPlace(temporary: string, target: string): Promise<void> {
  const folder = dirname(target);
  const isNew = (await mkdir(folder, { recursive: true })) !== undefined;
  await rename(temporary, target);
  await flushFolder(folder);
  if (isNew) await flushFolder(dirname(folder));
}
