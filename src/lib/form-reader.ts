import { JsonCursor } from "./json-cursor.ts";
import { JsonForm, type JsonPath } from "./json-form.ts";
import { pickOf, type Wanted } from "./json-pick.ts";
import { KnownBytes } from "./known-bytes.ts";

/** So many forms are known at once: rows of one program differ in whether there is an answer, an error… */
const MAX_FORMS = 8;

interface Known {
  form: JsonForm;
  value: unknown;
  slots: Slot[];
  /** What stands for a raw text, and which value of the form that is. */
  raw: Map<string, number>;
}

/** A value that is wanted and may differ: the object or list that holds it, and what stood there last. */
interface Slot {
  place: number;
  holder: Record<string | number, unknown>;
  key: string | number;
  last: KnownBytes;
}

/** Where a text is written in the bytes that hold it, without its quotes, and how many escapes there are in it. */
export interface WrittenText {
  start: number;
  end: number;
  escapes: number;
}

/** What a text begins with that stands for another one. No text does that is written so in JSON. */
export const STANDS_FOR = "\0";

/**
 * Reads what is wanted of JSON texts of which most have the form of one before. Texts that are `raw` are not made: a short
 * one stands for each, and `written` says where it is. `JSON.stringify` would write it just as it is written there.
 */
export class FormReader {
  readonly #wanted: Wanted;
  readonly #cursor = new JsonCursor();
  /** The one that was met last is the first. */
  #known: readonly Known[] = [];

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
  }

  /**
   * What is wanted of a JSON text in UTF-8, as `pickOf` gives it but for raw texts. It is good until the next one is
   * read, and so is what `written` says. `undefined` for what is no JSON or written in another way than programs write
   * it, and where a raw text has another escape than `JSON.stringify` writes, or a text stands where none is wanted.
   */
  read(bytes: Buffer): unknown {
    this.#cursor.open(bytes);
    const met = this.#known.find(({ form }) => this.#has(form)) ?? this.#learnt(bytes);
    if (met === undefined) return undefined;
    if (met !== this.#known[0]) {
      this.#known = [met, ...this.#known.filter((known) => known !== met)].slice(0, MAX_FORMS);
    }
    return fill(met, this.#cursor) ? met.value : undefined;
  }

  /** Whether the bytes have this form, all of them. */
  #has(form: JsonForm): boolean {
    const cursor = this.#cursor;
    cursor.at = 0;
    return form.reads(cursor) && cursor.at === cursor.bytes.length;
  }

  /** Where the raw text is, in the bytes that were read last, that this one stands for; `undefined` for any other one. */
  written(text: string): WrittenText | undefined {
    const [met] = this.#known;
    const place = met?.raw.get(text);
    if (met === undefined || place === undefined) return undefined;
    const { starts, ends, escapes } = met.form;
    return { start: (starts[place] ?? 0) + 1, end: (ends[place] ?? 0) - 1, escapes: escapes[place] ?? 0 };
  }

  #learnt(bytes: Buffer): Known | undefined {
    const form = JsonForm.of(bytes);
    if (form === undefined || !this.#has(form)) return undefined;
    const value = pickOf(JSON.parse(bytes.toString("utf8")), this.#wanted);
    const slots: Slot[] = [];
    const raw = new Map<string, number>();
    for (const [place, path] of form.paths.entries()) {
      const want = wantedAt(this.#wanted, path);
      if (want === "none") continue;
      const holder = holderOf(value, path);
      const key = path.at(-1);
      if (want === "unknown" || holder === undefined || key === undefined) return undefined;
      if (want === "raw") {
        if (!form.isText(place)) return undefined;
        const name = `${STANDS_FOR}${place}`;
        holder[key] = name;
        raw.set(name, place);
      } else slots.push({ place, holder, key, last: new KnownBytes() });
    }
    return { form, value, slots, raw };
  }
}

/** Puts the values of a text in their places. */
function fill({ form, slots, raw }: Known, { bytes, view }: JsonCursor): boolean {
  const { starts, ends, isOdd } = form;
  for (const place of raw.values()) if (isOdd[place] === 1) return false;
  for (const { place, holder, key, last } of slots) {
    const start = starts[place] ?? 0;
    const end = ends[place] ?? 0;
    if (last.length === end - start && last.isAt(view, start, end)) continue;
    holder[key] = JSON.parse(bytes.toString("utf8", start, end));
    last.keep(bytes, start, end);
  }
  return true;
}

/** What is wanted of a text or number at a path: `unknown` when something else was expected there. */
function wantedAt(wanted: Wanted, path: JsonPath): "all" | "raw" | "none" | "unknown" {
  let inner: Wanted = wanted;
  for (const key of path) {
    if (inner === "all") return "all";
    if (inner === "raw" || isItems(inner) !== (typeof key === "number")) return "unknown";
    const next: Wanted | undefined = isItems(inner) ? inner[0] : Object.hasOwn(inner, key) ? inner[key] : undefined;
    if (next === undefined) return "none";
    inner = next;
  }
  if (typeof inner === "string") return inner;
  return isItems(inner) && inner[1] === "raw" ? "raw" : "unknown";
}

function isItems(wanted: Wanted): wanted is readonly [Wanted] | readonly [Wanted, "raw"] {
  return Array.isArray(wanted);
}

function holderOf(value: unknown, path: JsonPath): Record<string | number, unknown> | undefined {
  let holder = value;
  for (const key of path.slice(0, -1)) {
    if (typeof holder !== "object" || holder === null) return undefined;
    holder = (holder as Record<string | number, unknown>)[key];
  }
  return typeof holder === "object" && holder !== null ? (holder as Record<string | number, unknown>) : undefined;
}
