import { CommitLine } from "../../training/wire/hub.ts";
import { base64Pieces } from "./base64-pieces.ts";
import type { BlobStore, BlobWriter } from "./blob-store.ts";
import { type CommitPiece, CommitScanner } from "./commit-scanner.ts";
import type { Edit } from "./edit-tree.ts";
import { keptFile } from "./files-of-folder.ts";
import { gitOid, lfsPointer, readLfsPointer } from "./git-objects.ts";
import { hubFault } from "./hub-fault.ts";
import { filePath, folderPath } from "./repo-paths.ts";

/** A commit as its client wrote it; every file's bytes are on disk. */
export interface CommitBody {
  summary: string;
  description: string;
  parent?: string;
  edits: Edit[];
}

const MOST_EDITS = 100_000;

/**
 * Reads the NDJSON of a commit as it comes: files of any size go to disk while they arrive. Errors: 400 for a line that is
 * none of the five kinds, a path that cannot be one, content that is no base64, a large file that was not uploaded before
 * or has another size.
 */
export async function readCommitBody(chunks: AsyncIterable<Uint8Array>, blobs: BlobStore): Promise<CommitBody> {
  const scanner = new CommitScanner();
  const reader = lineReader(blobs);
  try {
    for await (const chunk of chunks) for (const piece of scanner.scan(chunk)) await reader.take(piece);
    for (const piece of scanner.end()) await reader.take(piece);
    return await reader.commit();
  } catch (error) {
    await reader.discard();
    throw error;
  }
}

interface LineReader {
  take(piece: CommitPiece): Promise<void>;
  commit(): Promise<CommitBody>;
  discard(): Promise<void>;
}

/** Files of one commit that are put on disk at a time, while the next ones come. */
const AT_ONCE = 4;

type Content = { writer: BlobWriter; decoder: ReturnType<typeof base64Pieces> };

function lineReader(blobs: BlobStore): LineReader {
  const edits: Promise<Edit>[] = [];
  const running = new Set<Promise<unknown>>();
  let header: Extract<CommitLine, { key: "header" }>["value"] | undefined;
  let content: Content | undefined;
  function edit(line: Exclude<CommitLine, { key: "header" }>): Promise<Edit> | Edit {
    const { key, value } = line;
    if (key === "deletedFile") return { do: "remove_file", path: filePath(value.path) };
    if (key === "deletedFolder") return { do: "remove_folder", path: folderPath(value.path) };
    const path = filePath(value.path);
    if (key === "lfsFile") return largeFile(blobs, path, { sha256: value.oid, size: value.size ?? undefined });
    if (content === undefined) throw hubFault(400, `${path} has no content`);
    const whole = content;
    content = undefined;
    return contentAt(blobs, path, whole);
  }
  async function start(work: Promise<Edit>): Promise<void> {
    edits.push(work);
    if (edits.length > MOST_EDITS) throw hubFault(413, `a commit holds ${MOST_EDITS} files at most`);
    const settled: Promise<unknown> = work.then(
      () => running.delete(settled),
      () => running.delete(settled),
    );
    running.add(settled);
    if (running.size >= AT_ONCE) await Promise.race(running);
  }
  async function dropContent(): Promise<void> {
    const { writer } = content ?? {};
    content = undefined;
    await writer?.discard();
  }
  return {
    async take(piece) {
      if (piece.kind === "content") {
        if (piece.first) {
          await dropContent();
          content = { writer: blobs.writer(), decoder: base64Pieces() };
        }
        await content?.writer.write(content.decoder.push(piece.bytes));
        return;
      }
      const line = parseLine(piece.text);
      if (line.key === "header") header = line.value;
      else await start(Promise.resolve(edit(line)));
      // Of a line that was to have none.
      await dropContent();
    },
    async commit() {
      if (header === undefined) throw hubFault(400, "the commit has no header line");
      const { summary, description, parentCommit } = header;
      return {
        summary: summary ?? "",
        description: description ?? "",
        edits: await Promise.all(edits),
        ...(parentCommit != null && { parent: parentCommit }),
      };
    },
    async discard() {
      await Promise.all(running);
      await dropContent();
    },
  };
}

/** The file whose content has come to its end. */
async function contentAt(blobs: BlobStore, path: string, { writer, decoder }: Content): Promise<Edit> {
  try {
    await writer.write(decoder.end());
    const received = await writer.end();
    const pointed = received.small && readLfsPointer(received.small);
    if (pointed === undefined) return await keptFile(path, received, false);
    // Git has a file for large that holds a pointer, and so has the hub.
    return await largeFile(blobs, path, pointed);
  } finally {
    // Nothing is there any more of one that was kept.
    await writer.discard();
  }
}

function parseLine(text: string): CommitLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw hubFault(400, "a line of the commit is not valid JSON");
  }
  const parsed = CommitLine.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw hubFault(400, `a line of the commit cannot be used: ${issue?.path.join(".")}: ${issue?.message}`);
}

/** A file whose bytes were uploaded before. */
async function largeFile(
  blobs: BlobStore,
  path: string,
  { sha256, size }: { sha256: string; size: number | undefined },
): Promise<Edit> {
  const there = await blobs.size(sha256);
  if (there === undefined) throw hubFault(400, `${path}: the object ${sha256} was not uploaded`);
  if (size !== undefined && size !== there) {
    throw hubFault(400, `${path}: the object ${sha256} has ${there} bytes, not ${size}`);
  }
  const oid = gitOid("blob", lfsPointer({ sha256, size: there }));
  return { do: "put", path, file: { oid, size: there, sha256, lfs: true } };
}
