import { expect, test } from "vitest";
import { FormReader } from "./form-reader.ts";
import { pickOf, type Wanted } from "./json-pick.ts";
import { seededRandom } from "./random.ts";

const WANTED = {
  id: "all",
  list: [{ text: "raw", score: "all" }, "raw"],
  data: { name: "all" },
} as const satisfies Wanted;

const TEXTS = ["", "plain", "é ü", "日本語 😀", 'a "quote" and \\ back', "two\nlines\t", "\u0001", "x".repeat(100)];
const BAD = [0, 10, 34, 44, 45, 46, 48, 58, 91, 92, 93, 101, 117, 123, 125];
const NUMBERS = ["0", "-1", "12", "0.25", "1e3", "123456789012345678"];

function rowWriter(random: () => number) {
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)] as T;
  const text = () => JSON.stringify(pick(TEXTS));
  return (gap: string) => {
    const item = () =>
      `{"text":${gap}${text()},${gap}"score":${gap}${pick([...NUMBERS, "null"])},${gap}"rest":${gap}[${text()}]}`;
    const list =
      random() < 0.2 ? text() : `[${Array.from({ length: 1 + Math.floor(random() * 2) }, item).join(`,${gap}`)}]`;
    return `{"id":${gap}${pick([text(), ...NUMBERS])},${gap}"list":${gap}${list},${gap}"data":${gap}{"name":${gap}${text()}},${gap}"more":${gap}{"a":${gap}[1,${gap}true],${gap}"b":${gap}${text()}}}`;
  };
}

/** The same value with each text in `list` as `change` gives it. */
function withRaw(value: unknown, change: (text: string) => string): unknown {
  const { list, ...rest } = value as { list: unknown };
  if (typeof list === "string") return { ...rest, list: change(list) };
  return { ...rest, list: (list as { text: string }[]).map((item) => ({ ...item, text: change(item.text) })) };
}

/** What a reader reads, with the texts as they are written that others stand for. */
function read(reader: FormReader, text: string): unknown {
  const bytes = Buffer.from(text);
  const value = reader.read(bytes);
  if (value === undefined) return undefined;
  return withRaw(value, (name) => {
    const { start, end, escapes } = reader.written(name)!;
    const raw = bytes.toString("utf8", start, end);
    expect(escapes).toBe(raw.match(/\\./g)?.length ?? 0);
    return raw;
  });
}

test("what is read is what pickOf gives, with raw texts as JSON.stringify writes them, in whatever form and order", () => {
  const random = seededRandom(3);
  const write = rowWriter(random);
  const reader = new FormReader(WANTED);
  let known = 0;
  for (let round = 0; round < 800; round += 1) {
    const text = write(random() < 0.5 ? "" : " ");
    const value = read(reader, text);
    const expected = withRaw(pickOf(JSON.parse(text), WANTED), (raw) => JSON.stringify(raw).slice(1, -1));
    // An escape by code is written by `JSON.stringify` for control characters alone: left to others all the same.
    if (JSON.stringify(expected).includes("\\\\u00")) expect(value, text).toBeUndefined();
    else {
      expect(value, text).toEqual(expected);
      known += 1;
    }
  }
  expect(known).toBeGreaterThan(500);
});

test("what is no JSON is not read, though its form was known before it was hurt", () => {
  const random = seededRandom(4);
  const write = rowWriter(random);
  let hurt = 0;
  for (let round = 0; round < 800; round += 1) {
    const bytes = Buffer.from(write(""));
    const reader = new FormReader(WANTED);
    reader.read(bytes);
    const at = Math.floor(random() * bytes.length);
    const other = Buffer.from([BAD[round % BAD.length] as number]);
    const changed = [
      Buffer.concat([bytes.subarray(0, at), other, bytes.subarray(at + 1)]),
      Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]),
      bytes.subarray(0, at),
      Buffer.concat([bytes, other]),
    ][round % 4] as Buffer;
    let isJson = true;
    try {
      JSON.parse(changed.toString());
    } catch {
      isJson = false;
    }
    if (isJson) continue;
    hurt += 1;
    expect(reader.read(changed), changed.toString("latin1")).toBeUndefined();
  }
  expect(hurt).toBeGreaterThan(300);
});

test("texts with escapes that JSON.stringify would not write, and texts where none is wanted, are left to others", () => {
  const reader = new FormReader(WANTED);
  const readText = (text: string) => read(reader, text);
  expect(readText('{"list":"a"}')).toEqual({ list: "a" });
  expect(readText('{"list":"\\u0061"}')).toBeUndefined();
  expect(readText('{"list":"\\/"}')).toBeUndefined();
  expect(readText('{"list":"b\\n"}')).toEqual({ list: "b\\n" });
  expect(readText('{"data":"a"}')).toBeUndefined();
  expect(readText('{"list":["a"]}')).toBeUndefined();
  expect(readText('{"list":[{"text":{"a":"b"}}]}')).toBeUndefined();
  expect(readText('{"list":  "a"}')).toBeUndefined();
});

test("a text that stands for none is not written anywhere, though it is the value of another member", () => {
  const reader = new FormReader(WANTED);
  const bytes = Buffer.from('{"id":"the id","list":"the text"}');
  const { id, list } = reader.read(bytes) as { id: string; list: string };
  expect(reader.written(id)).toBeUndefined();
  expect(reader.written(`${list}${list}`)).toBeUndefined();
  expect(reader.written(list)).toEqual({ start: 23, end: 31, escapes: 0 });
});
