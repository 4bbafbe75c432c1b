import { JsonForm, type JsonPath } from "./json-form.ts";
import { pickOf, type Wanted } from "./json-pick.ts";
import { KnownBytes } from "./known-bytes.ts";

/** So many forms are known at once: rows of one program differ in whether there is an answer, an error… */
const MAX_FORMS = 8;

interface Known {
  form: JsonForm;
  value: unknown;
  slots: Slot[];
}

/** A value that is wanted and may differ: the object or list that holds it, and what stood there last. */
interface Slot {
  place: number;
  holder: Record<string | number, unknown>;
  key: string | number;
  isRaw: boolean;
  last: KnownBytes;
}

/**
 * Reads what is wanted of JSON texts of which most have the form of one before. Texts that are `raw` are given as they
 * are written, without their quotes: each character is a byte, and `JSON.stringify` would write it just so.
 */
export class FormReader {
  readonly #wanted: Wanted;
  /** The one that was met last is the first. */
  #known: readonly Known[] = [];

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
  }

  /**
   * What is wanted of a JSON text in UTF-8, as `pickOf` gives it but for raw texts. It is good until the next one is
   * read. `undefined` for what is no JSON or written in another way than programs write it, and where a raw text has
   * another escape than `JSON.stringify` writes, or a text stands where none is wanted.
   */
  read(bytes: Buffer): unknown {
    const met = this.#known.find(({ form }) => form.reads(bytes)) ?? this.#learnt(bytes);
    if (met === undefined) return undefined;
    if (met !== this.#known[0]) {
      this.#known = [met, ...this.#known.filter((known) => known !== met)].slice(0, MAX_FORMS);
    }
    return fill(met, bytes) ? met.value : undefined;
  }

  #learnt(bytes: Buffer): Known | undefined {
    const form = JsonForm.of(bytes);
    if (!form?.reads(bytes)) return undefined;
    const value = pickOf(JSON.parse(bytes.toString("utf8")), this.#wanted);
    const slots: Slot[] = [];
    for (const [place, path] of form.paths.entries()) {
      const want = wantedAt(this.#wanted, path);
      if (want === "none") continue;
      const holder = holderOf(value, path);
      const key = path.at(-1);
      if (want === "unknown" || holder === undefined || key === undefined) return undefined;
      slots.push({ place, holder, key, isRaw: want === "raw", last: new KnownBytes() });
    }
    return { form, value, slots };
  }
}

/** Puts the values of a text in their places. */
function fill({ form, slots }: Known, bytes: Buffer): boolean {
  const { starts, ends, isOdd, view } = form;
  for (const { place, holder, key, isRaw, last } of slots) {
    const start = starts[place] ?? 0;
    const end = ends[place] ?? 0;
    if (isRaw) {
      if (isOdd[place] === 1) return false;
      holder[key] = bytes.toString("latin1", start + 1, end - 1);
    } else if (last.length !== end - start || !last.isAt(view, start, end)) {
      holder[key] = JSON.parse(bytes.toString("utf8", start, end));
      last.keep(bytes, start, end);
    }
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
