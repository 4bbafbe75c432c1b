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

/** The same value with the texts in `list` as they are written. */
function asWritten(value: { list: unknown }): unknown {
  const raw = (text: string) => Buffer.from(JSON.stringify(text).slice(1, -1)).toString("latin1");
  const { list } = value;
  if (typeof list === "string") return { ...value, list: raw(list) };
  return { ...value, list: (list as { text: string }[]).map((item) => ({ ...item, text: raw(item.text) })) };
}

test("what is read is what pickOf gives, with raw texts as JSON.stringify writes them, in whatever form and order", () => {
  const random = seededRandom(3);
  const write = rowWriter(random);
  const reader = new FormReader(WANTED);
  let read = 0;
  for (let round = 0; round < 800; round += 1) {
    const text = write(random() < 0.5 ? "" : " ");
    const value = reader.read(Buffer.from(text));
    const expected = asWritten(pickOf(JSON.parse(text), WANTED) as { list: unknown });
    // An escape by code is written by `JSON.stringify` for control characters alone: left to others all the same.
    if (JSON.stringify(expected).includes("\\\\u00")) expect(value, text).toBeUndefined();
    else {
      expect(value, text).toEqual(expected);
      read += 1;
    }
  }
  expect(read).toBeGreaterThan(500);
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
  const read = (text: string) => reader.read(Buffer.from(text));
  expect(read('{"list":"a"}')).toEqual({ list: "a" });
  expect(read('{"list":"\\u0061"}')).toBeUndefined();
  expect(read('{"list":"\\/"}')).toBeUndefined();
  expect(read('{"list":"b\\n"}')).toEqual({ list: "b\\n" });
  expect(read('{"data":"a"}')).toBeUndefined();
  expect(read('{"list":["a"]}')).toBeUndefined();
  expect(read('{"list":[{"text":{"a":"b"}}]}')).toBeUndefined();
  expect(read('{"list":  "a"}')).toBeUndefined();
});
