import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, type FileHandle, link, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { codeOf } from "../../lib/errors.ts";
import { flushFile, flushFolder } from "../../lib/flush.ts";
import { gitOid } from "./git-objects.ts";

/** Bytes that have come whole, under a temporary name: nobody finds them until `keep`. */
export interface Received {
  readonly sha256: string;
  readonly size: number;
  /** As git names these bytes. */
  oid(): Promise<string>;
  /** The first bytes, 200 at most. */
  readonly head: Buffer;
  /** Flushes the bytes to disk and gives them their name for good. Nothing happens where they are there already. */
  keep(): Promise<void>;
  discard(): Promise<void>;
}

export interface BlobWriter {
  write(chunk: Uint8Array): Promise<void>;
  end(): Promise<Received>;
  discard(): Promise<void>;
}

/** Files by their SHA-256: DIR/ab/cdef... A file that has its name is whole and on disk. */
export interface BlobStore {
  path(sha256: string): string;
  /** Bytes of a blob; undefined where it is not there. */
  size(sha256: string): Promise<number | undefined>;
  writer(): Promise<BlobWriter>;
  /** Takes in a file: a hard link of it where the file system has them, else a copy. It must not be changed in place afterwards. */
  take(path: string): Promise<Received>;
}

/** So much is collected before it is written: a write of its own for each piece from the network would cost more. */
const WRITE_AT = 1 << 18;
const HEAD_BYTES = 200;

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
    async writer() {
      const name = temporaryName();
      return blobWriter(await open(name, "wx", 0o444), name, (facts) => received(name, facts));
    },
    async take(source) {
      const name = temporaryName();
      await linkOrCopy(source, name);
      return received(name, await factsOf(name));
    },
  };
  function received(name: string, { sha256, size, head }: Facts): Received {
    return {
      sha256,
      size,
      head,
      oid: () => (size <= HEAD_BYTES ? Promise.resolve(gitOid("blob", head)) : blobOid(name, size)),
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
  head: Buffer;
}

function blobWriter(file: FileHandle, name: string, whole: (facts: Facts) => Received): BlobWriter {
  const digest = createHash("sha256");
  let head = Buffer.alloc(0);
  let size = 0;
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  async function flush(): Promise<void> {
    const [first = Buffer.alloc(0), ...others] = waiting;
    await file.appendFile(others.length === 0 ? first : Buffer.concat(waiting, bytes));
    waiting = [];
    bytes = 0;
  }
  return {
    async write(chunk) {
      if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)]);
      digest.update(chunk);
      size += chunk.byteLength;
      waiting.push(chunk);
      bytes += chunk.byteLength;
      if (bytes >= WRITE_AT) await flush();
    },
    async end() {
      await flush();
      await file.close();
      return whole({ sha256: digest.digest("hex"), size, head });
    },
    async discard() {
      await file.close();
      await rm(name, { force: true });
    },
  };
}

async function factsOf(path: string): Promise<Facts> {
  const digest = createHash("sha256");
  let head = Buffer.alloc(0);
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)]);
    digest.update(chunk);
    size += chunk.byteLength;
  }
  return { sha256: digest.digest("hex"), size, head };
}

/** Git's hash begins with the length, which is known when all has come: a second look at the file. */
async function blobOid(path: string, size: number): Promise<string> {
  const digest = createHash("sha1").update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    digest.update(chunk);
  }
  return digest.digest("hex");
}

/** The bytes, then the name, then the folder that holds the name: in this order nothing is ever half there. */
async function putInPlace(temporary: string, target: string): Promise<void> {
  await flushFile(temporary);
  const folder = dirname(target);
  const isNew = (await mkdir(folder, { recursive: true })) !== undefined;
  await rename(temporary, target);
  await flushFolder(folder);
  if (isNew) await flushFolder(dirname(folder));
}

/** File systems without hard links, and folders on another one, get a copy. */
export async function linkOrCopy(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    if (!["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(error) ?? "")) throw error;
    await copyFile(source, target);
  }
}
