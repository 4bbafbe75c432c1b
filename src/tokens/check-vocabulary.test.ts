import { expect, test } from "vitest";
import { tinyTokenizerFiles } from "./__fixtures__/tiny-tokenizer.ts";
import { checkVocabulary } from "./check-vocabulary.ts";
import { createTokenizer } from "./open-tokenizer.ts";

const tokenizer = (eos_token_ids: number[]) =>
  createTokenizer({
    path: "tokenizer.json",
    tokenizer: JSON.parse(tinyTokenizerFiles()["tokenizer.json"] as string),
    special_tokens: {},
    additional_special_tokens: [],
    eos_token_ids,
  });

test("a model with as many tokens or more is fine, one with fewer is refused with both numbers", () => {
  checkVocabulary(tokenizer([2]), { vocab_size: 320, where: "model" });
  checkVocabulary(tokenizer([]), { vocab_size: 512, where: "model" });
  expect(() => checkVocabulary(tokenizer([]), { vocab_size: 319, where: "model" })).toThrow(
    expect.objectContaining({
      code: "vocabulary_mismatch",
      message: "model: the tokenizer has 320 tokens and the model 319",
      exit_code: 2,
    }),
  );
});

test("an end token that the model cannot make is refused", () => {
  expect(() => checkVocabulary(tokenizer([2, 400]), { vocab_size: 320, where: "model" })).toThrow(
    expect.objectContaining({
      code: "vocabulary_mismatch",
      what: expect.stringContaining("the token 400 ends a text"),
    }),
  );
});
