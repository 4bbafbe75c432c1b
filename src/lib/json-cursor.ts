/** Thrown where the bytes are not JSON as it is expected here. One object, since it is caught again at once. */
export const NOT_EXPECTED = new Error("not as expected");
/** No record is nested deeper than this; `JSON.parse` needs no stack and takes whatever is. */
const MAX_DEPTH = 64;

const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const SLASH = 0x2f;
const COLON = 0x3a;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const LETTER_E = 0x65;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;
const LETTER_U = 0x75;
/** What may follow a backslash, beside `u`. */
const ESCAPES = Uint8Array.from({ length: 256 }, (_, byte) =>
  '"\\/bfnrt'.includes(String.fromCharCode(byte)) ? 1 : 0,
);

/**
 * Goes over JSON that lies in memory as UTF-8, without making values of it. It is as strict as `JSON.parse`, and
 * stricter: deep nesting is not expected, nor is white space outside of strings but for one space after a comma or a
 * colon, as Python writes it. `stringEnd` and `nestedEnd` alone look for an end and at nothing else.
 */
export class JsonCursor {
  bytes: Buffer = Buffer.alloc(0);
  /** The same bytes, to be read several at a time. */
  view: DataView = new DataView(new ArrayBuffer(0));
  at = 0;
  /** Whether the last string has an escape that `JSON.stringify` would write in another way: `\\/`, or one by code. */
  isOdd = false;
  /** How many escapes there are in the last string. */
  escapes = 0;
  /** All of the memory that the bytes lie in, and where they begin in it. */
  #words: Int32Array = new Int32Array(0);
  #offset = 0;

  /** Goes to the beginning of other bytes. */
  open(bytes: Buffer): void {
    const { buffer } = bytes;
    if (buffer !== this.#words.buffer) this.#words = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    this.#offset = bytes.byteOffset;
    this.bytes = bytes;
    this.view = new DataView(buffer, bytes.byteOffset, bytes.length);
    this.at = 0;
  }

  /** What begins here. */
  get kind(): "string" | "object" | "list" | "scalar" {
    const first = this.bytes[this.at];
    if (first === QUOTE) return "string";
    if (first === OPEN_OBJECT) return "object";
    return first === OPEN_LIST ? "list" : "scalar";
  }

  /** Whether a scalar here is a number. */
  get isNumber(): boolean {
    const first = this.bytes[this.at] ?? 0;
    return first === MINUS || isDigit(first);
  }

  /** Whether a scalar here is true or false. */
  get isBoolean(): boolean {
    const first = this.bytes[this.at];
    return first === LETTER_T || first === LETTER_F;
  }

  /** Goes into an object or a list, and says whether it is empty: then it is over already. */
  opens(kind: "object" | "list"): boolean {
    this.at += 1;
    if (this.bytes[this.at] !== (kind === "object" ? CLOSE_OBJECT : CLOSE_LIST)) return false;
    this.at += 1;
    return true;
  }

  /** Goes over what follows an item: a comma, or the closing bracket. True when it was that. */
  closes(kind: "object" | "list"): boolean {
    const next = this.bytes[this.at];
    this.at += 1;
    if (next === COMMA) {
      this.space();
      return false;
    }
    if (next === (kind === "object" ? CLOSE_OBJECT : CLOSE_LIST)) return true;
    throw NOT_EXPECTED;
  }

  /** Goes over a space, if there is one. */
  space(): void {
    if (this.bytes[this.at] === SPACE) this.at += 1;
  }

  /** Goes over a member's name and its colon, and says whether there are escapes in it. */
  name(): boolean {
    if (this.bytes[this.at] !== QUOTE) throw NOT_EXPECTED;
    const escaped = this.string();
    if (this.bytes[this.at] !== COLON) throw NOT_EXPECTED;
    this.at += 1;
    return escaped;
  }

  /** Goes over a string, and says whether there are escapes in it. */
  string(): boolean {
    const { bytes } = this;
    let at = this.at + 1;
    let escapes = 0;
    this.isOdd = false;
    for (;;) {
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) break;
      if (byte < 0x20) throw NOT_EXPECTED;
      if (byte === BACKSLASH) {
        escapes += 1;
        const length = escapeLength(bytes, at);
        if (length > 2 || bytes[at + 1] === SLASH) this.isOdd = true;
        at += length;
      } else {
        at = this.#plainEnd(at + 1);
      }
    }
    this.at = at + 1;
    this.escapes = escapes;
    return escapes > 0;
  }

  /** Goes over plain characters four bytes at a time, from where four lie in one word. */
  #plainEnd(at: number): number {
    const offset = this.#offset;
    if (((offset + at) & 3) !== 0) return at;
    const words = this.#words;
    let word = (offset + at) >>> 2;
    // Bounds are asked for first: to read beyond them takes twice the time of all else.
    while (word < words.length && isPlain(words[word] as number)) word += 1;
    return word * 4 - offset;
  }

  /** Just after a string that begins at `start` and is parsed later on. */
  stringEnd(start: number): number {
    const { bytes } = this;
    let at = start;
    for (;;) {
      at = bytes.indexOf(QUOTE, at + 1);
      if (at === -1) throw NOT_EXPECTED;
      let before = at - 1;
      while (bytes[before] === BACKSLASH) before -= 1;
      // Two backslashes are one that is escaped.
      if ((at - before) % 2 === 1) return at + 1;
    }
  }

  /** Just after a list or an object that begins at `start` and is parsed later on. */
  nestedEnd(start: number): number {
    const { bytes } = this;
    let depth = 0;
    for (let at = start; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) at = this.stringEnd(at) - 1;
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) depth += 1;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) depth -= 1;
      if (depth === 0) return at + 1;
    }
    throw NOT_EXPECTED;
  }

  /** Goes over a number, true, false or null, and gives its value; `undefined` for a number that is no short integer. */
  scalar(): number | boolean | null | undefined {
    const { bytes, at } = this;
    const first = bytes[at] ?? 0;
    if (this.isNumber) {
      this.at = numberEnd(bytes, at);
      return shortInteger(bytes, at, this.at);
    }
    const literal = first === LETTER_N ? NULL : first === LETTER_T ? TRUE : FALSE;
    if (!startsAt(literal.word, bytes, at)) throw NOT_EXPECTED;
    this.at = at + literal.word.length;
    return literal.value;
  }

  /** Goes over any value. */
  skip(depth = 0): void {
    const { kind } = this;
    if (kind === "string") this.string();
    else if (kind === "scalar") this.scalar();
    else this.#skipItems(kind, depth);
  }

  #skipItems(kind: "object" | "list", depth: number): void {
    if (depth > MAX_DEPTH) throw NOT_EXPECTED;
    if (this.opens(kind)) return;
    do {
      if (kind === "object") {
        this.name();
        this.space();
      }
      this.skip(depth + 1);
    } while (!this.closes(kind));
  }
}

/** Whether none of four bytes is a quote, a backslash or a control character: the classic test for a zero byte, thrice. */
function isPlain(word: number): boolean {
  const quote = word ^ 0x22222222;
  const backslash = word ^ 0x5c5c5c5c;
  const below =
    ((word - 0x20202020) & ~word) | ((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash);
  return (below & 0x80808080) === 0;
}

/** How long the escape at `at` is. */
function escapeLength(bytes: Buffer, at: number): number {
  const letter = bytes[at + 1] ?? 0;
  if (ESCAPES[letter] === 1) return 2;
  if (letter !== LETTER_U) throw NOT_EXPECTED;
  for (let place = at + 2; place < at + 6; place += 1) if (!isHex(bytes[place] ?? 0)) throw NOT_EXPECTED;
  return 6;
}

function numberEnd(bytes: Buffer, start: number): number {
  const whole = bytes[start] === MINUS ? start + 1 : start;
  let at = digitsEnd(bytes, whole);
  if (bytes[whole] === ZERO && at > whole + 1) throw NOT_EXPECTED;
  if (bytes[at] === DOT) at = digitsEnd(bytes, at + 1);
  if (((bytes[at] ?? 0) | 0x20) === LETTER_E) {
    const sign = bytes[at + 1];
    at = digitsEnd(bytes, sign === PLUS || sign === MINUS ? at + 2 : at + 1);
  }
  return at;
}

/** Just after the digits at `at`, of which there must be one. */
function digitsEnd(bytes: Buffer, at: number): number {
  let end = at;
  while (isDigit(bytes[end] ?? 0)) end += 1;
  if (end === at) throw NOT_EXPECTED;
  return end;
}

/** The number of these digits; `undefined` when there is more than that, or more digits than can be added up exactly. */
function shortInteger(bytes: Buffer, start: number, end: number): number | undefined {
  if (end - start > 15) return undefined;
  const whole = bytes[start] === MINUS ? start + 1 : start;
  let value = 0;
  for (let at = whole; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (!isDigit(byte)) return undefined;
    value = value * 10 + byte - ZERO;
  }
  return whole === start ? value : -value;
}

const [NULL, TRUE, FALSE] = [null, true, false].map((value) => ({ value, word: Buffer.from(String(value)) })) as [
  Literal,
  Literal,
  Literal,
];

interface Literal {
  value: boolean | null;
  word: Buffer;
}

function startsAt(word: Buffer, bytes: Buffer, at: number): boolean {
  for (let place = 0; place < word.length; place += 1) if (bytes[at + place] !== word[place]) return false;
  return true;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function isHex(byte: number): boolean {
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}
