/** Bytes to be written again and again, four at a time. */
export class Word {
  readonly length: number;
  readonly fours: Int32Array;

  constructor(text: string) {
    const bytes = Buffer.from(text);
    this.length = bytes.length;
    const padded = Buffer.alloc((bytes.length + 3) & ~3);
    padded.set(bytes);
    this.fours = Int32Array.from({ length: padded.length / 4 }, (_, four) => padded.readInt32BE(four * 4));
  }
}

/** A pen may touch so many bytes behind what it writes. */
export const PEN_SLACK = 4;
/** Above this the system's own copying is the faster one. */
const LONG = 256;
const ZERO = 0x30;
const HEX = Array.from({ length: 256 }, (_, byte) => Buffer.from(byte.toString(16).padStart(2, "0")).readInt16BE(0));

/** Writes into memory from a place on. Nobody looks whether there is room. */
export class BytePen {
  memory: Buffer = Buffer.alloc(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  at = 0;

  /** Goes to a place of some memory. */
  open(memory: Buffer, at: number): void {
    if (memory !== this.memory) {
      this.memory = memory;
      this.view = new DataView(memory.buffer, memory.byteOffset, memory.length);
    }
    this.at = at;
  }

  word({ fours, length }: Word): void {
    const { view, at } = this;
    for (let four = 0; four < fours.length; four += 1) view.setInt32(at + four * 4, fours[four] as number);
    this.at = at + length;
  }

  /** Bytes of other memory. */
  copy(from: DataView, start: number, end: number): void {
    const { view } = this;
    let { at } = this;
    this.at = at + end - start;
    if (end - start > LONG) {
      this.memory.set(new Uint8Array(from.buffer, from.byteOffset + start, end - start), at);
      return;
    }
    let place = start;
    for (; place + 4 <= end; place += 4) {
      view.setInt32(at, from.getInt32(place));
      at += 4;
    }
    for (; place < end; place += 1) {
      view.setUint8(at, from.getUint8(place));
      at += 1;
    }
  }

  /** Bytes of the same memory. */
  again(start: number, end: number): void {
    this.memory.copyWithin(this.at, start, end);
    this.at += end - start;
  }

  /** A text of ASCII. */
  ascii(text: string): void {
    const { view } = this;
    let { at } = this;
    for (let place = 0; place < text.length; place += 1) {
      view.setUint8(at, text.charCodeAt(place));
      at += 1;
    }
    this.at = at;
  }

  /** A whole number, 0 or more, that is mostly a single digit. */
  count(value: number): void {
    if (value > 9) this.ascii(String(value));
    else {
      this.view.setUint8(this.at, ZERO + value);
      this.at += 1;
    }
  }

  /** 32 bits as eight hexadecimal digits. */
  hex32(bits: number): void {
    const { view, at } = this;
    view.setInt16(at, HEX[bits >>> 24] ?? 0);
    view.setInt16(at + 2, HEX[(bits >>> 16) & 0xff] ?? 0);
    view.setInt16(at + 4, HEX[(bits >>> 8) & 0xff] ?? 0);
    view.setInt16(at + 6, HEX[bits & 0xff] ?? 0);
    this.at = at + 8;
  }
}
