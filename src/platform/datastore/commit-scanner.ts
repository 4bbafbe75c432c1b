import { hubFault } from "./hub-fault.ts";

/**
 * What the lines of a commit's body hold: texts of JSON, and between them the file contents that were cut out of these.
 * A content's pieces come before the line it belongs to, in which `""` stands for it.
 */
export type CommitPiece = { kind: "content"; bytes: Uint8Array; first: boolean } | { kind: "line"; text: string };

/** What a line may hold beside a file's content. */
const MOST_LINE_BYTES = 1 << 20;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;

/** Escapes that a writer of JSON may use for the characters of base64; white space means nothing in it. */
const ESCAPES: Record<string, string> = { "/": "/", n: "", r: "", t: "" };

interface Level {
  isObject: boolean;
  /** Whether a string that comes now is a key. */
  atKey: boolean;
  key: string;
}

/**
 * Reads NDJSON as it comes, and lets the strings at `value.content` through piece by piece: they may hold gigabytes, in
 * one line. Everything else of a line is kept until its end. Errors: 400 for a line that is too long without its content.
 */
export class CommitScanner {
  #line: Buffer[] = [];
  #lineBytes = 0;
  #levels: Level[] = [];
  #state: "between" | "string" | "content" = "between";
  /** The characters of an escape that has begun. */
  #escape: string | undefined;
  #key = "";
  #first = false;

  *scan(chunk: Uint8Array): Generator<CommitPiece> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (at < bytes.length) {
      if (this.#isInContent) {
        const { piece, next } = this.#content(bytes, at);
        if (piece !== undefined && (piece.length > 0 || this.#first)) {
          yield { kind: "content", bytes: piece, first: this.#first };
          this.#first = false;
        }
        at = next;
        continue;
      }
      const from = at;
      while (at < bytes.length && !this.#isInContent) {
        const byte = bytes[at] ?? 0;
        at += 1;
        if (byte === NEWLINE) break;
        this.#structure(byte);
      }
      this.#keep(bytes.subarray(from, at));
      if (bytes[at - 1] === NEWLINE && !this.#isInContent) yield* this.end();
    }
  }

  get #isInContent(): boolean {
    return this.#state === "content";
  }

  /** The last line, which may have no newline. */
  *end(): Generator<CommitPiece> {
    const text = Buffer.concat(this.#line).toString("utf8");
    this.#line = [];
    this.#lineBytes = 0;
    this.#levels = [];
    if (this.#state !== "between") throw hubFault(400, "a line of the commit ends within a string");
    if (text.trim() !== "") yield { kind: "line", text };
  }

  #keep(bytes: Buffer): void {
    // A copy: the rest of the chunk is content, which is not to be held for it.
    this.#line.push(Buffer.from(bytes));
    this.#lineBytes += bytes.length;
    if (this.#lineBytes > MOST_LINE_BYTES) {
      throw hubFault(400, `a line of the commit is longer than ${MOST_LINE_BYTES} bytes without its content`);
    }
  }

  /** As much of the content as there is; an escape is a piece of its own. */
  #content(bytes: Buffer, at: number): { piece?: Buffer; next: number } {
    if (this.#escape !== undefined) return this.#escaped(bytes, at);
    const quote = bytes.indexOf(QUOTE, at);
    const end = quote === -1 ? bytes.length : quote;
    const backslash = bytes.subarray(at, end).indexOf(BACKSLASH);
    if (backslash !== -1) {
      this.#escape = "";
      return { piece: bytes.subarray(at, at + backslash), next: at + backslash + 1 };
    }
    if (quote === -1) return { piece: bytes.subarray(at), next: end };
    this.#state = "between";
    // The opening quote is in the line already.
    this.#keep(bytes.subarray(quote, quote + 1));
    return { piece: bytes.subarray(at, quote), next: quote + 1 };
  }

  #escaped(bytes: Buffer, at: number): { piece?: Buffer; next: number } {
    const seen = `${this.#escape}${String.fromCharCode(bytes[at] ?? 0)}`;
    const code = /^u([0-9a-f]{4})$/i.exec(seen)?.[1];
    const meant = code === undefined ? ESCAPES[seen] : String.fromCharCode(Number.parseInt(code, 16));
    this.#escape = meant === undefined ? seen : undefined;
    if (meant !== undefined) return { piece: Buffer.from(meant), next: at + 1 };
    if (!/^u[0-9a-f]{0,3}$/i.test(seen)) throw hubFault(400, "a file's content is not base64");
    return { next: at + 1 };
  }

  /** Follows the JSON as far as is needed to know where `value.content` is; the line's parser finds its faults. */
  #structure(byte: number): void {
    const level = this.#levels.at(-1);
    if (this.#state === "string") {
      this.#inString(byte, level);
      return;
    }
    switch (byte) {
      case QUOTE:
        this.#state = this.#isContent(level) ? "content" : "string";
        this.#first = true;
        this.#key = "";
        break;
      case 0x7b: // {
      case 0x5b: // [
        this.#levels.push({ isObject: byte === 0x7b, atKey: byte === 0x7b, key: "" });
        break;
      case 0x7d: // }
      case 0x5d: // ]
        this.#levels.pop();
        break;
      case 0x3a: // :
        if (level) level.atKey = false;
        break;
      case 0x2c: // ,
        if (level) level.atKey = level.isObject;
        break;
    }
  }

  #inString(byte: number, level: Level | undefined): void {
    if (this.#escape !== undefined) this.#escape = undefined;
    else if (byte === BACKSLASH) this.#escape = "";
    else if (byte === QUOTE) {
      this.#state = "between";
      if (level?.atKey) level.key = this.#key;
    } else if (this.#key.length < 16) this.#key += String.fromCharCode(byte);
  }

  #isContent(level: Level | undefined): boolean {
    const [outer] = this.#levels;
    return this.#levels.length === 2 && level?.atKey === false && level.key === "content" && outer?.key === "value";
  }
}
