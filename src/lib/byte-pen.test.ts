import { expect, test } from "vitest";
import { BytePen, PEN_SLACK, Word } from "./byte-pen.ts";

test("a pen writes words, numbers, copies of other memory and of its own, one behind the other", () => {
  const pen = new BytePen();
  const memory = Buffer.alloc(2000, "#");
  pen.open(memory, 5);
  let expected = "";
  const texts = ["", "a", "ab", "abc", "abcd", "é: 5", "x".repeat(300)];
  for (const text of texts) {
    pen.word(new Word(text));
    const bytes = Buffer.from(`..${text}`);
    pen.copy(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 2, bytes.length);
    pen.ascii("|");
    expected += `${text}${text}|`;
  }
  const end = pen.at;
  pen.again(5, 8);
  for (const count of [0, 9, 10, 123456789]) pen.count(count);
  for (const bits of [0, -1, 0x0102feff]) pen.hex32(bits);
  expected += "|aa091012345678900000000ffffffff0102feff";
  expect(memory.toString("utf8", 5, pen.at)).toBe(expected);
  expect(end).toBeLessThan(pen.at);
  expect(memory.toString("utf8", 0, 5)).toBe("#####");
  expect(memory.toString("utf8", pen.at + PEN_SLACK)).toMatch(/^#+$/);
});

test("a pen that goes to other memory leaves the first as it is", () => {
  const pen = new BytePen();
  const [one, other] = [Buffer.alloc(8, "."), Buffer.alloc(8, ".")];
  pen.open(one, 0);
  pen.word(new Word("abcd"));
  pen.open(other, 2);
  pen.ascii("x");
  expect([one.toString(), other.toString()]).toEqual(["abcd....", "..x....."]);
});
