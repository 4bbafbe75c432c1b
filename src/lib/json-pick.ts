import { isAscii } from "node:buffer";
import { JsonCursor, NOT_EXPECTED } from "./json-cursor.ts";
import { KnownBytes } from "./known-bytes.ts";

/**
 * What is wanted of a JSON value: all of it, some members of an object, or the same of each item of a list. `raw` is all
 * of it, and says of a text that it is wanted as it is written, by those who can give it so (`FormReader`); after what is
 * wanted of items, it says that of a text in place of a list.
 */
export type Wanted =
  | "all"
  | "raw"
  | readonly [Wanted]
  | readonly [Wanted, "raw"]
  | { readonly [member: string]: Wanted };

/** A text above this is read by `JSON.parse`, and not kept: it rarely comes again. */
const SHORT = 64;
/** So many names of members are known at once. */
const MAX_NAMES = 1000;

/** A part of what is wanted, and what is remembered of the last value that was read for it. */
interface Part {
  /** `undefined` for a value that is passed over. */
  wanted: Wanted | undefined;
  /** Of an object: its members by name, and the one that stood first in the last one. */
  members: Map<string, Member>;
  first: Member | undefined;
  /** Of a list: its items. */
  item: Part | undefined;
  /** The last text, list or object that was taken or passed over as a whole: equal bytes are the same value again. */
  last: KnownBytes;
  value: unknown;
}

interface Member {
  name: string;
  /** The name as it is written, with its colon. */
  written: KnownBytes;
  /** What stood after it the last time. */
  next: Member | undefined;
  part: Part;
}

/**
 * Reads JSON of which only some members are wanted, in half the time of `JSON.parse` where they are few or come again,
 * and gives what `pickOf` gives of the whole value. It reads what is written on one line, without white space or as
 * Python writes it, and mostly in the same order as before; everything else, and all that is no JSON, is left to
 * `JSON.parse` and throws what that throws.
 *
 * Records repeat themselves: a list or an object that has the very bytes of the one before it, in the same place, is
 * the same object. So values must not be changed.
 */
export class JsonPicker {
  readonly #wanted: Wanted;
  readonly #root: Part;
  readonly #cursor = new JsonCursor();
  /** The text, when each of its characters is one byte. */
  #text: string | undefined;

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
    this.#root = partOf(wanted);
  }

  /** What is wanted of the value that these bytes are in JSON, as UTF-8. */
  pick(bytes: Buffer): unknown {
    this.#cursor.open(bytes);
    this.#text = isAscii(bytes) ? bytes.toString("latin1") : undefined;
    try {
      const value = this.#read(this.#root);
      if (this.#cursor.at === bytes.length) return value;
    } catch (error) {
      if (error !== NOT_EXPECTED) throw error;
    }
    return pickOf(JSON.parse(bytes.toString("utf8")), this.#wanted);
  }

  #read(part: Part): unknown {
    const cursor = this.#cursor;
    const { kind, at: start } = cursor;
    if (kind === "string") return this.#string(part, start);
    if (kind === "scalar") {
      const value = cursor.scalar();
      return value === undefined ? Number(this.#slice(start, cursor.at)) : value;
    }
    if (kind === "object" && isMembers(part.wanted)) return this.#object(part);
    if (kind === "list" && part.item !== undefined) return this.#list(part.item);
    if (!this.#repeats(part)) {
      cursor.at = cursor.nestedEnd(start);
      part.value = JSON.parse(this.#slice(start, cursor.at));
      part.last.keep(this.#cursor.bytes, start, cursor.at);
    }
    return part.value;
  }

  #string(part: Part, start: number): unknown {
    if (this.#repeats(part)) return part.value;
    const cursor = this.#cursor;
    const end = cursor.stringEnd(start);
    if (end - start > SHORT) {
      cursor.at = end;
      return JSON.parse(this.#slice(start, end));
    }
    part.value = cursor.string() ? JSON.parse(this.#slice(start, end)) : this.#slice(start + 1, end - 1);
    part.last.keep(this.#cursor.bytes, start, end);
    return part.value;
  }

  #object(part: Part): Record<string, unknown> {
    const cursor = this.#cursor;
    const object: Record<string, unknown> = {};
    if (cursor.opens("object")) return object;
    let member: Member | undefined;
    do {
      member = this.#member(part, member);
      if (member.part.wanted === undefined) this.#pass(member.part);
      else object[member.name] = this.#read(member.part);
    } while (!cursor.closes("object"));
    return object;
  }

  #list(item: Part): unknown[] {
    const list: unknown[] = [];
    if (this.#cursor.opens("list")) return list;
    do list.push(this.#read(item));
    while (!this.#cursor.closes("list"));
    return list;
  }

  /** Goes over the name of the next member, which mostly is the one that stood after `before` the last time. */
  #member(part: Part, before: Member | undefined): Member {
    const cursor = this.#cursor;
    const expected = before === undefined ? part.first : before.next;
    if (expected?.written.isAt(cursor.view, cursor.at, cursor.bytes.length)) {
      cursor.at += expected.written.length;
      cursor.space();
      return expected;
    }
    const start = cursor.at;
    // A name with escapes is another one than it seems.
    if (cursor.name()) throw NOT_EXPECTED;
    const name = this.#slice(start + 1, cursor.at - 2);
    const end = cursor.at;
    cursor.space();
    const known = part.members.get(name);
    const member = known ?? memberOf(name, undefined);
    if (known === undefined) {
      if (part.members.size >= MAX_NAMES) return member;
      part.members.set(name, member);
    }
    if (member.written.length === 0) member.written.keep(cursor.bytes, start, end);
    if (before === undefined) part.first = member;
    else before.next = member;
    return member;
  }

  /** Goes over a value that is not wanted. */
  #pass(part: Part): void {
    const cursor = this.#cursor;
    const { kind, at: start } = cursor;
    if (kind === "scalar") cursor.scalar();
    else if (kind === "string") cursor.string();
    else if (!this.#repeats(part)) {
      cursor.skip();
      part.last.keep(this.#cursor.bytes, start, cursor.at);
    }
  }

  /** Goes over a text, a list or an object that has the bytes of the one before, and says whether it has. */
  #repeats({ last }: Part): boolean {
    if (!last.isAt(this.#cursor.view, this.#cursor.at, this.#cursor.bytes.length)) return false;
    this.#cursor.at += last.length;
    return true;
  }

  #slice(start: number, end: number): string {
    return this.#text?.slice(start, end) ?? this.#cursor.bytes.toString("utf8", start, end);
  }
}

/** What is wanted of a value: objects without their other members. What is no object or list, where one is expected, stays. */
export function pickOf(value: unknown, wanted: Wanted): unknown {
  if (wanted === "all" || wanted === "raw" || typeof value !== "object" || value === null) return value;
  if (isItems(wanted)) return Array.isArray(value) ? value.map((item) => pickOf(item, wanted[0])) : value;
  if (Array.isArray(value)) return value;
  const picked: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    const inner = Object.hasOwn(wanted, name) ? wanted[name] : undefined;
    if (inner !== undefined) picked[name] = pickOf(member, inner);
  }
  return picked;
}

function partOf(wanted: Wanted | undefined): Part {
  const members = new Map<string, Member>();
  if (isMembers(wanted)) {
    for (const [name, inner] of Object.entries(wanted)) members.set(name, memberOf(name, inner));
  }
  const item = isItems(wanted) ? partOf(wanted[0]) : undefined;
  return { wanted, members, first: undefined, item, last: new KnownBytes(), value: undefined };
}

function memberOf(name: string, wanted: Wanted | undefined): Member {
  return { name, written: new KnownBytes(), next: undefined, part: partOf(wanted) };
}

function isItems(wanted: Wanted | undefined): wanted is readonly [Wanted] | readonly [Wanted, "raw"] {
  return Array.isArray(wanted);
}

function isMembers(wanted: Wanted | undefined): wanted is { readonly [member: string]: Wanted } {
  return typeof wanted === "object" && !Array.isArray(wanted);
}
