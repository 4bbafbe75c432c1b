import { ByteBuffer } from "../../lib/byte-sink.ts";

/** Characters that are collected before they become bytes. */
const PIECE = 1 << 13;

/**
 * Lines that become bytes many at a time, since each crossing costs as much as a hundred characters. How long each line
 * is in bytes is told for all of a piece when it is written.
 */
export class LineBuffer {
  readonly #bytes: ByteBuffer;
  readonly #lengths: number[] = [];
  readonly #pairs: number[] = [];
  readonly #tell: (pair: number, bytes: number) => void;
  #text = "";

  /** `tell` gets the number of each line's pair, as it was given to `add`, and the length. */
  constructor(size: number, tell: (pair: number, bytes: number) => void) {
    this.#bytes = new ByteBuffer(size);
    this.#tell = tell;
  }

  /** Bytes so far, without the lines that are still text. */
  get length(): number {
    return this.#bytes.length;
  }

  add(line: string, pair: number): void {
    this.#text += line;
    this.#pairs.push(pair);
    this.#lengths.push(line.length);
    if (this.#text.length > PIECE) this.flush();
  }

  flush(): void {
    const text = this.#text;
    if (text === "") return;
    const start = this.#bytes.length;
    this.#bytes.write(text);
    const plain = this.#bytes.length - start === text.length;
    let from = 0;
    for (const [line, length] of this.#lengths.entries()) {
      const bytes = plain ? length : Buffer.byteLength(text.slice(from, from + length));
      this.#tell(this.#pairs[line] ?? 0, bytes);
      from += length;
    }
    this.#text = "";
    this.#lengths.length = 0;
    this.#pairs.length = 0;
  }

  /** What takes lines as bytes, after all that came so far. */
  get raw(): ByteBuffer {
    this.flush();
    return this.#bytes;
  }

  /** All lines; a view, good until the next change. */
  bytes(): Buffer {
    this.flush();
    return this.#bytes.bytes();
  }

  clear(): void {
    this.#bytes.clear();
  }

  /** Begins anew in other memory, when that of `bytes` was given away. */
  useMemory(memory: ArrayBuffer): void {
    this.#bytes.useMemory(memory);
  }
}
