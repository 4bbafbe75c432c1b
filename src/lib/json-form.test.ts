import { expect, test } from "vitest";
import { JsonCursor } from "./json-cursor.ts";
import { JsonForm } from "./json-form.ts";

const LONG = "a text that is long enough to be looked for where it stood before";
const formOf = (value: unknown, isFixed?: (path: readonly (string | number)[]) => boolean) => {
  const form = JsonForm.of(Buffer.from(JSON.stringify(value)), isFixed);
  if (form === undefined) throw new Error("no form");
  return form;
};

function opened(text: string): JsonCursor {
  const cursor = new JsonCursor();
  cursor.open(Buffer.from(text));
  return cursor;
}

test("texts, numbers and booleans differ within a form, null and names do not", () => {
  const form = formOf({ a: "x", b: [1, true], c: null });
  expect(form.paths).toEqual([["a"], ["b", 0], ["b", 1]]);
  const reads = (value: unknown) => form.reads(opened(JSON.stringify(value)));
  expect(reads({ a: "longer", b: [-2.5e3, false], c: null })).toBe(true);
  for (const other of [
    { a: null, b: [1, true], c: null },
    { a: "x", b: ["1", true], c: null },
    { a: "x", b: [1, 1], c: null },
    { a: "x", b: [1, true], c: 0 },
    { a: "x", b: [1, true], d: null },
  ]) {
    expect(reads(other)).toBe(false);
  }
});

test("what is fixed is part of the form", () => {
  const form = formOf({ role: "user", content: "x" }, (path) => path.at(-1) === "role");
  expect(form.paths).toEqual([["content"]]);
  expect(form.reads(opened('{"role":"user","content":"another"}'))).toBe(true);
  expect(form.reads(opened('{"role":"tool","content":"another"}'))).toBe(false);
});

test("of several in one text, one that comes again is found as the first one was", () => {
  const form = formOf({ text: LONG, number: 1 });
  const texts = [LONG, LONG, `${LONG}\\/`, `${LONG}\\/`, LONG, "short", "short", LONG];
  const all = texts.map((text, number) => `{"text":"${text}","number":${number}}`);
  const cursor = opened(all.join(""));
  const found = texts.map(() => {
    expect(form.reads(cursor)).toBe(true);
    const text = cursor.bytes.toString("utf8", form.starts[0], form.ends[0]);
    return [JSON.parse(text), form.isOdd[0]];
  });
  expect(cursor.at).toBe(cursor.bytes.length);
  expect(found).toEqual([
    [LONG, 0],
    [LONG, 0],
    [`${LONG}/`, 1],
    [`${LONG}/`, 1],
    [LONG, 0],
    ["short", 0],
    ["short", 0],
    [LONG, 0],
  ]);
});

test("what stood there in memory that was filled anew is not taken for the text before", () => {
  const form = formOf([LONG]);
  const bytes = Buffer.from(`["${LONG}"]["${LONG}"]`);
  const cursor = new JsonCursor();
  cursor.open(bytes);
  expect(form.reads(cursor)).toBe(true);
  // Not a text: there is a quote within. The bytes after it are the same.
  const broken = `["${LONG.slice(0, -3)}"..`;
  bytes.write(`${broken}"]${broken}"]`);
  cursor.open(bytes);
  cursor.at = bytes.length / 2;
  expect(form.reads(cursor)).toBe(false);
});
