import { Column } from "./column.ts";

/** 64 bits of a key, as two unsigned halves: what `KeyTable` compares. */
export interface Key {
  hi: number;
  lo: number;
}

/** The first 64 bits of a hexadecimal digest. */
export function keyOfHex(hex: string): Key {
  return { hi: Number.parseInt(hex.slice(0, 8), 16) >>> 0, lo: Number.parseInt(hex.slice(8, 16), 16) >>> 0 };
}

const NOBODY = -1;

/**
 * A set of 64-bit keys that numbers them from 0 in the order they came, so that what is known of a key can lie in a
 * typed array. About 20 bytes a key and no object each. Keys must be spread evenly, as digests are. Two of a million
 * different digests fall together once in forty million such tables: callers must not lose data by that.
 */
export class KeyTable {
  #slots = new Int32Array(1024).fill(NOBODY);
  readonly #hi = Column.uint32();
  readonly #lo = Column.uint32();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The number of the key, or -1. */
  indexOf(hi: number, lo: number): number {
    return this.#slots[this.#slotOf(hi >>> 0, lo >>> 0)] ?? NOBODY;
  }

  /** The key of that number. */
  keyAt(index: number): Key {
    return { hi: this.#hi.get(index), lo: this.#lo.get(index) };
  }

  /** The number of the key, which joins when it is new: then it is the size before the call. */
  add(hi: number, lo: number): number {
    const high = hi >>> 0;
    const low = lo >>> 0;
    const slot = this.#slotOf(high, low);
    const known = this.#slots[slot] ?? NOBODY;
    if (known !== NOBODY) return known;
    const index = this.#size;
    this.#hi.set(index, high);
    this.#lo.set(index, low);
    this.#slots[slot] = index;
    this.#size += 1;
    if (this.#size * 2 > this.#slots.length) this.#spread(this.#slots.length * 2);
    return index;
  }

  #slotOf(hi: number, lo: number): number {
    const mask = this.#slots.length - 1;
    let slot = (lo ^ Math.imul(hi, 0x9e3779b1)) & mask;
    for (;;) {
      const index = this.#slots[slot] ?? NOBODY;
      if (index === NOBODY || (this.#lo.get(index) === lo && this.#hi.get(index) === hi)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #spread(length: number): void {
    this.#slots = new Int32Array(length).fill(NOBODY);
    for (let index = 0; index < this.#size; index += 1) {
      this.#slots[this.#slotOf(this.#hi.get(index), this.#lo.get(index))] = index;
    }
  }
}
