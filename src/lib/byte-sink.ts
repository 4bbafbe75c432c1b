/** Takes text and bytes, one after another. */
export interface ByteSink {
  write(text: string): void;
  /** The bytes are copied. */
  writeBytes(bytes: Uint8Array): void;
}

/** Text as UTF-8 in memory that is used again and again: `clear` keeps it. Only growing makes new memory. */
export class ByteBuffer implements ByteSink {
  #memory: Buffer;
  #end = 0;

  constructor(size: number) {
    this.#memory = Buffer.allocUnsafeSlow(size);
  }

  get length(): number {
    return this.#end;
  }

  /** What was written; a view, good until the next change. */
  bytes(): Buffer {
    return this.#memory.subarray(0, this.#end);
  }

  /** Memory with room for so many more bytes behind those of before: write there, then say where they end. */
  reserve(more: number): Buffer {
    this.#makeRoom(more);
    return this.#memory;
  }

  endAt(end: number): void {
    this.#end = end;
  }

  clear(): void {
    this.#end = 0;
  }

  /** Begins anew in other memory, when that of `bytes` was given away. */
  useMemory(memory: ArrayBuffer): void {
    this.#memory = Buffer.from(memory);
    this.#end = 0;
  }

  write(text: string): void {
    // A character of a text is at most three bytes in UTF-8; two of a pair are four.
    this.#makeRoom(text.length * 3);
    this.#end += this.#memory.write(text, this.#end);
  }

  writeBytes(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length);
    this.#memory.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  #makeRoom(more: number): void {
    if (this.#end + more <= this.#memory.length) return;
    const bigger = Buffer.allocUnsafeSlow(Math.max(this.#end + more, this.#memory.length * 2));
    bigger.set(this.bytes());
    this.#memory = bigger;
  }
}
