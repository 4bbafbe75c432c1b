import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { ByteSink } from "./byte-sink.ts";

const PIECE_BYTES = 1 << 20;
const PIECES_WAITING = 2;

/** A new file that takes very many small parts and reaches the disk in large pieces, in order. Writing awaits nothing: ask `pressure` now and then. */
export interface BulkWriter extends ByteSink {
  /** A promise to wait for when the disk is behind, else `undefined`. The first fault of a write is thrown here or by `close`. */
  pressure(): Promise<void> | undefined;
  /** Waits for the disk, closes, and says what was written. */
  close(): Promise<{ bytes: number; sha256: string | undefined }>;
}

/** How a file is written. */
export interface BulkWriterOptions {
  /** Whether to take the SHA-256 of all that goes in. */
  digest?: boolean;
  /** `latin1` writes one byte a character: bytes that were read as such. */
  encoding?: "utf8" | "latin1";
  /** Bytes that are collected before they are written; 1 MiB unless told. */
  piece?: number;
}

/** Opens `path` for writing; it must not be there yet. */
export async function openBulkWriter(path: string, options: BulkWriterOptions = {}): Promise<BulkWriter> {
  const file = await open(path, "wx");
  return new PieceWriter(file, options);
}

class PieceWriter implements BulkWriter {
  readonly #file: FileHandle;
  readonly #hash: Hash | undefined;
  readonly #encoding: "utf8" | "latin1";
  readonly #size: number;
  /** Pieces whose bytes are on their way; they come back here. Fresh memory costs more than writing to it. */
  readonly #free: Buffer[] = [];
  #piece: Buffer;
  #end = 0;
  #waiting = 0;
  #bytes = 0;
  #failure: { error: unknown } | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(file: FileHandle, { digest = false, encoding = "utf8", piece = PIECE_BYTES }: BulkWriterOptions) {
    this.#file = file;
    this.#hash = digest ? createHash("sha256") : undefined;
    this.#encoding = encoding;
    this.#size = piece;
    this.#piece = Buffer.allocUnsafeSlow(piece);
  }

  write(text: string): void {
    // A character of a text is at most three bytes in UTF-8; two of a pair are four.
    if (this.#end + text.length * 3 > this.#size) {
      this.#flush();
      if (text.length * 3 > this.#size) {
        this.#send(Buffer.from(text, this.#encoding));
        return;
      }
    }
    // Naming the encoding costs as much as writing a short text.
    this.#end +=
      this.#encoding === "utf8" ? this.#piece.write(text, this.#end) : this.#piece.write(text, this.#end, "latin1");
  }

  writeBytes(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#size) {
      this.#flush();
      if (bytes.length > this.#size) {
        this.#send(Buffer.from(bytes));
        return;
      }
    }
    this.#piece.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  pressure(): Promise<void> | undefined {
    if (this.#failure) throw this.#failure.error;
    return this.#waiting < PIECES_WAITING ? undefined : this.#last;
  }

  async close(): Promise<{ bytes: number; sha256: string | undefined }> {
    try {
      this.#flush();
      await this.#last;
    } finally {
      await this.#file.close();
    }
    if (this.#failure) throw this.#failure.error;
    return { bytes: this.#bytes, sha256: this.#hash?.digest("hex") };
  }

  #flush(): void {
    if (this.#end === 0) return;
    const piece = this.#piece;
    this.#send(piece.subarray(0, this.#end), piece);
    this.#piece = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#size);
    this.#end = 0;
  }

  #send(bytes: Uint8Array, piece?: Buffer): void {
    this.#waiting += 1;
    this.#bytes += bytes.length;
    this.#hash?.update(bytes);
    this.#last = this.#last.then(async () => {
      try {
        if (this.#failure === undefined) await writeFully(this.#file, bytes);
      } catch (error) {
        this.#failure = { error };
      } finally {
        this.#waiting -= 1;
        if (piece !== undefined) this.#free.push(piece);
      }
    });
  }
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written);
    written += bytesWritten;
  }
}
