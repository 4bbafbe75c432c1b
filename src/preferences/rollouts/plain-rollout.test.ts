import { expect, test } from "vitest";
import { ByteBuffer } from "../../lib/byte-sink.ts";
import { charactersWritten, type WrittenIn, writeRow } from "./plain-rollout.ts";

/** A text as it stands in JSON, with other text around it. */
function written(text: string): WrittenIn {
  const json = JSON.stringify(text).slice(1, -1);
  const bytes = Buffer.from(`é"${json}"日`);
  const start = 3;
  return { bytes, start, end: start + Buffer.byteLength(json), escapes: json.match(/\\./g)?.length ?? 0 };
}

const TEXTS = [
  "",
  "a",
  "plain text",
  "é",
  "日本語",
  "😀 and 😀",
  'a "quote"\\\n',
  "x".repeat(37),
  `${"é日😀\n".repeat(9)}`,
];

test("the length of a written text is that of the text, whatever its characters and wherever it begins", () => {
  for (const text of TEXTS) expect(charactersWritten(written(text)), text).toBe(text.length);
});

test("a row is written as JSON.stringify writes it, with the texts in their places that others stand for", () => {
  const [one = "", other = ""] = ["\0one", "\0other"];
  for (const text of TEXTS) {
    const texts = new Map([
      [one, written(text)],
      [other, written(`${text}!`)],
    ]);
    const row = (first: string, second: string) => ({
      messages: [{ role: "user", content: first }, 1.5, null, true, [], {}],
      left_out: undefined,
      'a "name"': second,
      text: 'no "stand-in"',
    });
    const sink = new ByteBuffer(16);
    writeRow(sink, row(one, other), texts);
    expect(sink.bytes().toString()).toBe(JSON.stringify(row(text, `${text}!`)));
  }
});

test("a text that stands for another one and was changed is an error, not a text", () => {
  const texts = new Map([["\0one", written("text")]]);
  expect(() => writeRow(new ByteBuffer(16), { chosen: "\0one and more" }, texts)).toThrow("keeps_texts changed a text");
});
