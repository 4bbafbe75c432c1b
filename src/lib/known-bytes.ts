/**
 * Bytes that may come again. They are compared four at a time, the last four once more when they do not come out even,
 * so there must be four at least.
 */
export class KnownBytes {
  #words = new Uint32Array(8);
  #length = 0;

  /** How many there are; 0 at first, and for less than four. */
  get length(): number {
    return this.#length;
  }

  /** Keeps the bytes from `start` to `end` in place of those before. */
  keep(view: DataView, start: number, end: number): void {
    const length = end - start;
    this.#length = length < 4 ? 0 : length;
    const words = (this.#length + 3) >>> 2;
    if (words > this.#words.length) this.#words = new Uint32Array(words * 2);
    for (let word = 0; word < words; word += 1) {
      this.#words[word] = view.getUint32(Math.min(start + word * 4, end - 4));
    }
  }

  /** Whether the same bytes stand at `at`. Never when there are none. */
  isAt(view: DataView, at: number): boolean {
    const length = this.#length;
    const last = at + length - 4;
    if (length === 0 || last + 4 > view.byteLength || view.getUint32(last) !== this.#words[(length - 1) >>> 2]) {
      return false;
    }
    const words = this.#words;
    for (let word = 0, place = at; place < last; word += 1, place += 4) {
      if (view.getUint32(place) !== words[word]) return false;
    }
    return true;
  }
}
