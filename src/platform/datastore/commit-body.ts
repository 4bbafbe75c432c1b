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
    return reader.commit();
  } catch (error) {
    await reader.discard();
    throw error;
  }
}

interface LineReader {
  take(piece: CommitPiece): Promise<void>;
  commit(): CommitBody;
  discard(): Promise<void>;
}

function lineReader(blobs: BlobStore): LineReader {
  const edits: Edit[] = [];
  let header: Extract<CommitLine, { key: "header" }>["value"] | undefined;
  let content: { writer: BlobWriter; decoder: ReturnType<typeof base64Pieces> } | undefined;
  async function discard(): Promise<void> {
    const { writer } = content ?? {};
    content = undefined;
    await writer?.discard();
  }
  async function contentAt(path: string): Promise<Edit> {
    if (content === undefined) throw hubFault(400, `${path} has no content`);
    await content.writer.write(content.decoder.end());
    const received = await content.writer.end();
    content = undefined;
    const pointed = received.size === received.head.length ? readLfsPointer(received.head) : undefined;
    if (pointed === undefined) return keptFile(path, received, false);
    // Git has a file for large that holds a pointer, and so has the hub.
    await received.discard();
    return largeFile(blobs, path, pointed);
  }
  async function edit(line: Exclude<CommitLine, { key: "header" }>): Promise<Edit> {
    const { key, value } = line;
    if (key === "deletedFile") return { do: "remove_file", path: filePath(value.path) };
    if (key === "deletedFolder") return { do: "remove_folder", path: folderPath(value.path) };
    const path = filePath(value.path);
    if (key === "file") return contentAt(path);
    return largeFile(blobs, path, { sha256: value.oid, size: value.size ?? undefined });
  }
  return {
    discard,
    async take(piece) {
      if (piece.kind === "content") {
        if (piece.first) {
          await discard();
          content = { writer: await blobs.writer(), decoder: base64Pieces() };
        }
        await content?.writer.write(content.decoder.push(piece.bytes));
        return;
      }
      const line = parseLine(piece.text);
      if (line.key === "header") header = line.value;
      else edits.push(await edit(line));
      // Of a line that was to have none.
      await discard();
      if (edits.length > MOST_EDITS) throw hubFault(413, `a commit holds ${MOST_EDITS} files at most`);
    },
    commit() {
      if (header === undefined) throw hubFault(400, "the commit has no header line");
      const { summary, description, parentCommit } = header;
      return {
        summary: summary ?? "",
        description: description ?? "",
        edits,
        ...(parentCommit != null && { parent: parentCommit }),
      };
    },
  };
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
