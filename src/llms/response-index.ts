/** Where a stored reply lies. */
export interface Place {
  segment: number;
  offset: number;
  length: number;
}

const FIRST_CAPACITY = 1 << 10;

/**
 * From the first 64 bits of a key to a place, in typed arrays: about 30 bytes an entry, however long the keys are. Two
 * keys that share 64 bits share a place, so the reader must compare the whole key.
 */
export class ResponseIndex {
  /** 1 + the entry's number; 0 is free. Twice as many slots as entries, at least. */
  #slots = new Uint32Array(FIRST_CAPACITY * 2);
  #high = new Uint32Array(FIRST_CAPACITY);
  #low = new Uint32Array(FIRST_CAPACITY);
  #segment = new Uint32Array(FIRST_CAPACITY);
  #offset = new Uint32Array(FIRST_CAPACITY);
  #length = new Uint32Array(FIRST_CAPACITY);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** `key` is hexadecimal; its first 16 digits count. */
  get(key: string): Place | undefined {
    const entry = (this.#slots[this.#slotOf(highOf(key), lowOf(key))] ?? 0) - 1;
    if (entry < 0) return undefined;
    return {
      segment: this.#segment[entry] ?? 0,
      offset: this.#offset[entry] ?? 0,
      length: this.#length[entry] ?? 0,
    };
  }

  /** False when the key is there already; the first place of a key stays. `offset` and `length` must fit in 32 bits. */
  add(key: string, { segment, offset, length }: Place): boolean {
    const high = highOf(key);
    const low = lowOf(key);
    if (this.#size === this.#high.length) this.#grow();
    const slot = this.#slotOf(high, low);
    if (this.#slots[slot] !== 0) return false;
    const entry = this.#size;
    this.#size += 1;
    this.#slots[slot] = entry + 1;
    this.#high[entry] = high;
    this.#low[entry] = low;
    this.#segment[entry] = segment;
    this.#offset[entry] = offset;
    this.#length[entry] = length;
    return true;
  }

  /** The key's slot, or the free one that it would take. */
  #slotOf(high: number, low: number): number {
    const mask = this.#slots.length - 1;
    // The bits are those of a hash already.
    let slot = low & mask;
    for (;;) {
      const entry = (this.#slots[slot] ?? 0) - 1;
      if (entry < 0 || (this.#low[entry] === low && this.#high[entry] === high)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const capacity = this.#high.length * 2;
    this.#high = larger(this.#high, capacity);
    this.#low = larger(this.#low, capacity);
    this.#segment = larger(this.#segment, capacity);
    this.#offset = larger(this.#offset, capacity);
    this.#length = larger(this.#length, capacity);
    this.#slots = new Uint32Array(capacity * 2);
    for (let entry = 0; entry < this.#size; entry += 1) {
      this.#slots[this.#slotOf(this.#high[entry] ?? 0, this.#low[entry] ?? 0)] = entry + 1;
    }
  }
}

function highOf(key: string): number {
  return Number.parseInt(key.slice(0, 8), 16);
}

function lowOf(key: string): number {
  return Number.parseInt(key.slice(8, 16), 16);
}

function larger(array: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(capacity);
  grown.set(array);
  return grown;
}
