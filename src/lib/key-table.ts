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
/** Of a slot: half of its key, and which key it is; both in one place, since each other place takes a tenth of a microsecond. */
const SLOT = 2;

/**
 * A set of 64-bit keys that numbers them from 0 in the order they came, so that what is known of a key can lie in a
 * typed array. About 20 bytes a key and no object each. Keys must be spread evenly, as digests are. Two of a million
 * different digests fall together once in forty million such tables: callers must not lose data by that.
 */
export class KeyTable {
  #slots = new Int32Array(1024 * SLOT);
  #mask = 1023;
  readonly #hi = Column.uint32();
  readonly #lo = Column.uint32();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The number of the key, or -1. */
  indexOf(hi: number, lo: number): number {
    return (this.#slots[this.#slotOf(hi >>> 0, lo | 0) + 1] ?? 0) - 1;
  }

  /** The key of that number. */
  keyAt(index: number): Key {
    return { hi: this.#hi.get(index), lo: this.#lo.get(index) };
  }

  /** The number of the key, which joins when it is new: then it is the size before the call. */
  add(hi: number, lo: number): number {
    const slot = this.#slotOf(hi >>> 0, lo | 0);
    const known = (this.#slots[slot + 1] ?? 0) - 1;
    if (known !== NOBODY) return known;
    const index = this.#size;
    this.#hi.set(index, hi >>> 0);
    this.#lo.set(index, lo >>> 0);
    this.#size += 1;
    this.#slots[slot] = lo;
    this.#slots[slot + 1] = this.#size;
    if (this.#size * 4 > this.#mask * 3) this.#spread();
    return index;
  }

  /** Where the key is, or where it may go. */
  #slotOf(hi: number, lo: number): number {
    const slots = this.#slots;
    let place = (lo ^ Math.imul(hi, 0x9e3779b1)) & this.#mask;
    for (;;) {
      const slot = place * SLOT;
      const number = slots[slot + 1] ?? 0;
      if (number === 0 || (slots[slot] === lo && this.#hi.get(number - 1) === hi)) return slot;
      place = (place + 1) & this.#mask;
    }
  }

  #spread(): void {
    this.#mask = this.#mask * 2 + 1;
    this.#slots = new Int32Array((this.#mask + 1) * SLOT);
    for (let index = 0; index < this.#size; index += 1) {
      const lo = this.#lo.get(index) | 0;
      const slot = this.#slotOf(this.#hi.get(index), lo);
      this.#slots[slot] = lo;
      this.#slots[slot + 1] = index + 1;
    }
  }
}
