import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import { createGunzip } from "node:zlib";
import { messageOf, PairwrightError, usageError } from "../../lib/errors.ts";
import { filesOfGlob, isGlob } from "../../lib/glob.ts";
import { parseLooseJson } from "../../lib/loose-json.ts";
import { isObject } from "../../records/messages-of.ts";
import { NOTHING, type OnRolloutProgress } from "./rollout-progress.ts";

/** A file of rows, one a line, that can be read at any place. */
export interface SourceFile {
  /** As it was asked for. */
  name: string;
  path: string;
  file: FileHandle;
  /** Where it is taken to end: what it grows by is left alone. */
  size: number;
  /** Of all bytes of what was named, as they are on disk. */
  sha256: (signal: AbortSignal) => Promise<string>;
}

export interface Sources extends AsyncDisposable {
  files: SourceFile[];
  warnings: string[];
}

export interface SourceOptions {
  /** A folder for what must be unpacked first; it is made when it is needed, and what is in it is removed. */
  scratch: string;
  /** What `-` names. */
  stdin: Readable;
  signal?: AbortSignal | undefined;
  onProgress?: OnRolloutProgress | undefined;
}

/** Files that NeMo Gym writes beside its rollouts: there is no rollout in them. */
const BESIDE = /_(failures|materialized_inputs|agent_metrics)\.jsonl(\.gz|\.zst)?$|_aggregate_metrics\.json$/;
/** A document that is no list of lines is read as a whole, up to this size. */
const MAX_DOCUMENT = 256 << 20;

/**
 * Opens inputs: files, patterns, and `-`. What is packed (`.gz`, `.zst`), comes through a pipe, or is one JSON document
 * with a list in it is first written out as lines in a temporary folder.
 */
export async function openSources(inputs: readonly string[], options: SourceOptions): Promise<Sources> {
  const { names, warnings } = await namesOf(inputs);
  const unpacked = join(options.scratch, `.rollouts.${randomBytes(4).toString("hex")}.partial`);
  const files: SourceFile[] = [];
  const close = async () => {
    await Promise.allSettled(files.map(({ file }) => file.close()));
    await rm(unpacked, { recursive: true, force: true });
  };
  try {
    for (const [place, name] of names.entries()) {
      options.signal?.throwIfAborted();
      files.push(await openSource(name, join(unpacked, `${place}.jsonl`), options));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { files, warnings, [Symbol.asyncDispose]: close };
}

async function namesOf(inputs: readonly string[]): Promise<{ names: string[]; warnings: string[] }> {
  const names: string[] = [];
  const warnings: string[] = [];
  for (const input of inputs) {
    if (!isGlob(input) || (await stat(input).catch(() => undefined)) !== undefined) {
      names.push(input);
      continue;
    }
    const found = await filesOfGlob(input);
    const beside = found.filter((name) => BESIDE.test(name));
    if (beside.length > 0) {
      warnings.push(
        `${beside.length} files beside the rollouts are left out, since no rollout is in them: ${beside[0]}…`,
      );
    }
    names.push(...found.filter((name) => !BESIDE.test(name)));
    if (found.length === 0) throw noInput(input, "no file has a name like this");
  }
  return { names: [...new Set(names)], warnings };
}

function noInput(where: string, what: string) {
  return usageError({
    code: "no_input",
    where,
    what,
    fix: "name files of rollouts, a pattern of names, or - for standard input",
  });
}

async function openSource(name: string, spool: string, options: SourceOptions): Promise<SourceFile> {
  if (name === "-") {
    await unpack("standard input", options.stdin, [], spool, options);
    return opened("-", spool, spool);
  }
  const there = await stat(name).catch(() => undefined);
  if (there === undefined) throw noInput(name, "there is no such file");
  if (there.isDirectory()) throw noInput(name, "this is a folder");
  const unpacker = unpackerOf(name);
  if (unpacker !== undefined) {
    await unpack(name, createReadStream(name), [unpacker], spool, { ...options, total_bytes: there.size });
    return opened(name, spool, name);
  }
  if (!there.isFile()) {
    await unpack(name, createReadStream(name), [], spool, options);
    return opened(name, spool, spool);
  }
  const isDocument = await writeDocument(name, there.size, spool);
  return opened(name, isDocument ? spool : name, name);
}

async function opened(name: string, path: string, hashed: string): Promise<SourceFile> {
  const file = await open(path, "r");
  const { size } = await file.stat();
  const whole = hashed === path ? size : (await stat(hashed)).size;
  return { name, path, file, size, sha256: (signal) => sha256Of(hashed, whole, signal) };
}

type Unpacker = NodeJS.ReadWriteStream;

function unpackerOf(name: string): Unpacker | undefined {
  if (name.endsWith(".gz")) return createGunzip();
  if (!name.endsWith(".zst")) return undefined;
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Unpacker };
  if (createZstdDecompress !== undefined) return createZstdDecompress();
  throw usageError({
    code: "no_zstd",
    where: name,
    what: `this Node (${process.versions.node}) cannot unpack zstd; 22.15 and newer can`,
    fix: "unpack it first: zstd -dc FILE | pairwright rollouts --input - …",
  });
}

async function unpack(
  name: string,
  from: NodeJS.ReadableStream,
  through: readonly Unpacker[],
  to: string,
  { signal, onProgress, total_bytes }: SourceOptions & { total_bytes?: number },
): Promise<void> {
  await mkdir(join(to, ".."), { recursive: true });
  let bytes = 0;
  const counting = new Transform({
    transform(chunk: Buffer, _, pass) {
      bytes += chunk.length;
      onProgress?.({ ...NOTHING, stage: "unpack", bytes, total_bytes });
      pass(null, chunk);
    },
  });
  try {
    await pipeline([from, counting, ...through, createWriteStream(to)], signal === undefined ? {} : { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new PairwrightError({
      code: "not_unpacked",
      where: name,
      what: `it cannot be unpacked: ${messageOf(cause, 100)}`,
      fix: "the file may be damaged or cut; make it anew",
      exit_code: 2,
      cause,
    });
  }
}

/** Writes the rows of a file that is one JSON document over several lines; false when it is no such file. */
async function writeDocument(name: string, size: number, to: string): Promise<boolean> {
  if (size > MAX_DOCUMENT) return false;
  if (!name.endsWith(".json")) return false;
  let document: unknown;
  try {
    document = parseLooseJson((await readFile(name, "utf8")).replace(/^\uFEFF/, ""));
  } catch {
    // Lines, each for itself: they are looked at one by one.
    return false;
  }
  const rows = rowsOf(document);
  if (rows === undefined) return false;
  await mkdir(join(to, ".."), { recursive: true });
  await writeFile(to, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return true;
}

/** The rows of a document: a list, or the list of results within it. */
function rowsOf(document: unknown): unknown[] | undefined {
  if (Array.isArray(document)) return document;
  if (!isObject(document)) return undefined;
  return rowsOf(document.results);
}

async function sha256Of(path: string, size: number, signal: AbortSignal): Promise<string> {
  const digest = createHash("sha256");
  await using file = await open(path, "r");
  const memory = Buffer.allocUnsafeSlow(1 << 20);
  for (let at = 0; at < size; ) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(memory, 0, Math.min(memory.length, size - at), at);
    if (bytesRead === 0) break;
    digest.update(memory.subarray(0, bytesRead));
    at += bytesRead;
  }
  return digest.digest("hex");
}
