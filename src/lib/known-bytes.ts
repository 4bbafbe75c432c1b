/**
 * Bytes that may come again. They are compared four at a time, the last four once more when they do not come out even,
 * so there must be four at least.
 */
export class KnownBytes {
  #copy: Buffer = Buffer.alloc(0);
  #view = new DataView(new ArrayBuffer(0));
  #length = 0;

  /** How many there are; 0 at first, and for less than four. */
  get length(): number {
    return this.#length;
  }

  /** Keeps the bytes from `start` to `end` in place of those before. */
  keep(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    this.#length = length < 4 ? 0 : length;
    if (length > this.#copy.length) {
      const memory = new ArrayBuffer(length * 2);
      this.#copy = Buffer.from(memory);
      this.#view = new DataView(memory);
    }
    bytes.copy(this.#copy, 0, start, end);
  }

  /** Whether the same bytes stand at `at`, before `end`. Never when there are none. A view is slow to tell its own end. */
  isAt(view: DataView, at: number, end: number): boolean {
    const own = this.#view;
    const tail = this.#length - 4;
    // What differs mostly does so at its end, too.
    if (tail < 0 || at + tail + 4 > end || view.getInt32(at + tail) !== own.getInt32(tail)) return false;
    for (let place = 0; place < tail; place += 4) {
      if (view.getInt32(at + place) !== own.getInt32(place)) return false;
    }
    return true;
  }
}
