import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { seededRandom } from "../lib/random.ts";
import { TINY, tinyTokenizerFiles } from "./__fixtures__/tiny-tokenizer.ts";
import { createTokenizer } from "./open-tokenizer.ts";
import type { TokenizerJson } from "./read-tokenizer-files.ts";
import { createTokenStream } from "./token-stream.ts";
import type { Tokenizer } from "./tokenizer.ts";

const make = (tokenizer: TokenizerJson): Tokenizer =>
  createTokenizer({
    path: "tokenizer.json",
    tokenizer,
    special_tokens: {},
    additional_special_tokens: [],
    eos_token_ids: [],
  });
const tiny = make(JSON.parse(tinyTokenizerFiles()["tokenizer.json"] as string));
const { tokenizers }: { tokenizers: { name: string; tokenizer: TokenizerJson; ids: number[][] }[] } = JSON.parse(
  await readFile(new URL("__fixtures__/reference-tokenizers.json", import.meta.url), "utf8"),
);

function streamed(tokenizer: Tokenizer, ids: readonly number[], options = {}): string[] {
  const stream = createTokenStream(tokenizer, options);
  return [...ids.map((id) => stream.push(id)), stream.flush()];
}

test("a character of several tokens comes whole, and what never becomes one comes at the end", () => {
  const bytes = (text: string) => [...Buffer.from(text)].map((byte) => TINY.first_byte + byte);
  expect(streamed(tiny, tiny.encode("hello €"))).toEqual(["hello", " ", "", "", "€", ""]);
  expect(streamed(tiny, bytes("é").slice(0, 1))).toEqual(["", "\uFFFD"]);
  expect(streamed(tiny, [...bytes("€").slice(0, 2), ...bytes("a")])).toEqual(["", "", "\uFFFDa", ""]);
  expect(streamed(tiny, [])).toEqual([""]);
  // A byte order mark is text like any other.
  expect(streamed(tiny, bytes("\uFEFFa")).join("")).toBe("\uFEFFa");
});

test("control tokens are left out, also in the middle of a character, unless they are asked for", () => {
  const [first, ...rest] = [...Buffer.from("€")].map((byte) => TINY.first_byte + byte);
  const ids = [first as number, TINY.im_end, ...rest];
  expect(streamed(tiny, ids).join("")).toBe("€");
  expect(streamed(tiny, ids, { keep_special: true }).join("")).toBe("\uFFFD<|im_end|>\uFFFD\uFFFD");
});

test("with byte tokens between words, a run of bytes comes when it has ended", () => {
  const llama = tokenizers.find(({ name }) => name.startsWith("llama 2:"));
  const tokenizer = make((llama as { tokenizer: TokenizerJson }).tokenizer);
  const ids = tokenizer.encode("a𐍈𐍈b");
  const pieces = streamed(tokenizer, ids);
  expect(pieces.join("")).toBe("a𐍈𐍈b");
  expect(pieces.filter((piece) => piece !== "")).toEqual(["a", "𐍈𐍈b"]);
});

test.each([
  { name: "tiny", tokenizer: tiny },
  ...tokenizers.map((it) => ({ name: it.name, tokenizer: make(it.tokenizer) })),
])("$name: the pieces of random ids are the text of them all", ({ tokenizer }) => {
  const random = seededRandom(11);
  let texts = 0;
  for (let round = 0; round < 300; round += 1) {
    // Half of the time bytes alone, where most goes wrong.
    const below = round % 2 === 0 ? tokenizer.vocab_size + 2 : Math.min(270, tokenizer.vocab_size);
    const ids = Array.from({ length: 1 + Math.floor(random() * 24) }, () => Math.floor(random() * below));
    for (const keep_special of [true, false]) {
      const whole = tokenizer.decode(ids, { keep_special });
      expect(streamed(tokenizer, ids, { keep_special }).join("")).toBe(whole);
      if (whole !== "") texts += 1;
    }
  }
  expect(texts).toBeGreaterThan(400);
});

test("the pieces of a text's ids are the text", () => {
  let texts = 0;
  for (const { tokenizer, ids } of tokenizers) {
    const made = make(tokenizer);
    for (const each of ids) {
      expect(streamed(made, each).join("")).toBe(made.decode(each));
      texts += 1;
    }
  }
  expect(texts).toBe(16 * 48);
});
