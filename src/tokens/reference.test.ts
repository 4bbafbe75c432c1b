import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { createTokenizer } from "./open-tokenizer.ts";
import type { TokenizerJson } from "./read-tokenizer-files.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * Made with `tokenizers` 0.23.3 of PyPI by `__fixtures__/make-reference-tokenizers.py`: small tokenizers of every kind that
 * is read here, with what the reference makes of the same texts and of random ids.
 */
interface Reference {
  texts: string[];
  tokenizers: {
    name: string;
    tokenizer: TokenizerJson;
    ids: number[][];
    /** Decoded without control tokens, and with them; `null` where the text comes back. */
    decoded: (string | null)[];
    kept: (string | null)[];
    random: { ids: number[]; text: string }[];
  }[];
}

const reference: Reference = JSON.parse(
  await readFile(new URL("__fixtures__/reference-tokenizers.json", import.meta.url), "utf8"),
);

function make(tokenizer: TokenizerJson): Tokenizer {
  return createTokenizer({
    path: "tokenizer.json",
    tokenizer,
    special_tokens: {},
    additional_special_tokens: [],
    eos_token_ids: [],
  });
}

test("there are sixteen tokenizers of the reference and 48 texts", () => {
  expect(reference.tokenizers).toHaveLength(16);
  expect(reference.texts).toHaveLength(48);
});

test.each(reference.tokenizers)("$name: ids and texts are the reference's", ({ tokenizer, ...expected }) => {
  const made = make(tokenizer);
  const ids = reference.texts.map((text) => made.encode(text));
  const wrong = reference.texts.flatMap((text, at) =>
    JSON.stringify(ids[at]) === JSON.stringify(expected.ids[at])
      ? []
      : [{ text, ours: ids[at], theirs: expected.ids[at] }],
  );
  expect(wrong).toEqual([]);
  // A second time the words come from the cache.
  expect(reference.texts.map((text) => made.encode(text))).toEqual(ids);
  expect(ids.map((each) => made.decode(each))).toEqual(expected.decoded.map((text, at) => text ?? reference.texts[at]));
  expect(ids.map((each) => made.decode(each, { keep_special: true }))).toEqual(
    expected.kept.map((text, at) => text ?? reference.texts[at]),
  );
  for (const { ids: drawn, text } of expected.random) expect(made.decode(drawn, { keep_special: true })).toBe(text);
});
