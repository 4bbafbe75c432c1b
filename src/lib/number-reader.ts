const SLOTS = 1024;
const ROOM = 32;

/** Reads numbers as JSON has them, and keeps those that come again and again. */
export class NumberReader {
  readonly #written = new Uint8Array(SLOTS * ROOM);
  readonly #lengths = new Uint8Array(SLOTS);
  readonly #plain = new Uint8Array(SLOTS);
  readonly #values = new Float64Array(SLOTS);
  /** Whether the last number is finite and written as JavaScript writes it. */
  isPlain = false;

  read(bytes: Buffer, start: number, end: number): number {
    const length = end - start;
    let hash = length;
    for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x9e3779b1);
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    if (length > ROOM || this.#lengths[slot] !== length || !this.#holds(slot, bytes, start, length)) {
      const text = bytes.toString("latin1", start, end);
      const value = Number(text);
      this.isPlain = Number.isFinite(value) && String(value) === text;
      if (length > ROOM) return value;
      for (let place = 0; place < length; place += 1) this.#written[slot * ROOM + place] = bytes[start + place] ?? 0;
      this.#lengths[slot] = length;
      this.#plain[slot] = this.isPlain ? 1 : 0;
      this.#values[slot] = value;
      return value;
    }
    this.isPlain = this.#plain[slot] === 1;
    return this.#values[slot] ?? 0;
  }

  #holds(slot: number, bytes: Buffer, start: number, length: number): boolean {
    for (let place = 0; place < length; place += 1) {
      if (this.#written[slot * ROOM + place] !== bytes[start + place]) return false;
    }
    return true;
  }
}
