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
  #hi = new Uint32Array(512);
  #lo = new Uint32Array(512);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The number of the key, or -1. */
  indexOf(hi: number, lo: number): number {
    return this.#slots[this.#slotOf(hi >>> 0, lo >>> 0)] ?? NOBODY;
  }

  /** The number of the key, which joins when it is new: then it is the size before the call. */
  add(hi: number, lo: number): number {
    const high = hi >>> 0;
    const low = lo >>> 0;
    const slot = this.#slotOf(high, low);
    const known = this.#slots[slot] ?? NOBODY;
    if (known !== NOBODY) return known;
    const index = this.#size;
    if (index === this.#hi.length) {
      this.#hi = grown(this.#hi, index + 1);
      this.#lo = grown(this.#lo, index + 1);
    }
    this.#hi[index] = high;
    this.#lo[index] = low;
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
      if (index === NOBODY || (this.#lo[index] === lo && this.#hi[index] === hi)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #spread(length: number): void {
    this.#slots = new Int32Array(length).fill(NOBODY);
    for (let index = 0; index < this.#size; index += 1) {
      this.#slots[this.#slotOf(this.#hi[index] ?? 0, this.#lo[index] ?? 0)] = index;
    }
  }
}

type Typed = Uint8Array | Uint32Array | Float64Array;

/** The same typed array with room for at least `length` entries; grows by half, so that appending stays cheap. */
export function grown<T extends Typed>(array: T, length: number): T {
  if (array.length >= length) return array;
  const Maker = array.constructor as new (length: number) => T;
  const bigger = new Maker(Math.max(length, Math.ceil(array.length * 1.5), 1024));
  bigger.set(array);
  return bigger;
}
