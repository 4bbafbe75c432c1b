import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

const PIECE_CHARACTERS = 1 << 18;
const PIECES_WAITING = 3;

/** A new file that takes very many small texts and reaches the disk in large pieces, in order. */
export interface BulkWriter {
  /** Takes text at once; nothing is awaited. Ask `pressure` now and then. */
  write(text: string): void;
  /** A promise to wait for when the disk is behind, else `undefined`. */
  pressure(): Promise<void> | undefined;
  /** Waits for the disk, closes, and says what was written. The first fault of any write is thrown here or by `pressure`. */
  close(): Promise<{ bytes: number; sha256: string | undefined }>;
}

/** How a file is written. */
export interface BulkWriterOptions {
  /** Whether to take the SHA-256 of all that goes in. */
  digest?: boolean;
  /** `latin1` writes one byte a character: bytes that were read as such. */
  encoding?: "utf8" | "latin1";
  /** Characters that are collected before they are written; 256 Ki unless told. */
  piece?: number;
}

/** Opens `path` for writing; it must not be there yet. */
export async function openBulkWriter(path: string, options: BulkWriterOptions = {}): Promise<BulkWriter> {
  const { digest = false, encoding = "utf8", piece = PIECE_CHARACTERS } = options;
  const hash = digest ? createHash("sha256") : undefined;
  return bulkWriter(await open(path, "wx"), { hash, encoding, piece });
}

interface Making {
  hash: Hash | undefined;
  encoding: "utf8" | "latin1";
  piece: number;
}

function bulkWriter(file: FileHandle, { hash, encoding, piece: size }: Making): BulkWriter {
  let text = "";
  let waiting = 0;
  let bytes = 0;
  let failure: { error: unknown } | undefined;
  let last: Promise<void> = Promise.resolve();

  function send(piece: Uint8Array): void {
    waiting += 1;
    hash?.update(piece);
    const before = last;
    last = before.then(async () => {
      try {
        if (failure === undefined) await writeFully(file, piece);
      } catch (error) {
        failure = { error };
      } finally {
        waiting -= 1;
      }
    });
    bytes += piece.length;
  }

  function flush(): void {
    if (text === "") return;
    const piece = Buffer.from(text, encoding);
    text = "";
    send(piece);
  }

  return {
    write(more) {
      // The engine joins the parts when the piece is encoded: that is far cheaper than encoding each.
      text += more;
      if (text.length >= size) flush();
    },
    pressure() {
      if (failure) throw failure.error;
      return waiting < PIECES_WAITING ? undefined : last;
    },
    async close() {
      try {
        flush();
        await last;
      } finally {
        await file.close();
      }
      if (failure) throw failure.error;
      return { bytes, sha256: hash?.digest("hex") };
    },
  };
}

async function writeFully(file: FileHandle, piece: Uint8Array): Promise<void> {
  let written = 0;
  while (written < piece.length) {
    const { bytesWritten } = await file.write(piece, written, piece.length - written);
    written += bytesWritten;
  }
}
