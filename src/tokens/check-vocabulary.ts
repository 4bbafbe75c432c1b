import { usageError } from "../lib/errors.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * Refuses a tokenizer that can make ids which the model has no embedding for. A model with more rows than the tokenizer
 * has tokens is usual: rows are padded. Errors: `vocabulary_mismatch`; `where` is the model's folder.
 */
export function checkVocabulary(tokenizer: Tokenizer, model: { vocab_size: number; where: string }): void {
  const { vocab_size, eos_ids } = tokenizer;
  const largest = Math.max(vocab_size - 1, ...eos_ids);
  if (largest < model.vocab_size) return;
  throw usageError({
    code: "vocabulary_mismatch",
    where: model.where,
    what:
      vocab_size > model.vocab_size
        ? `the tokenizer has ${vocab_size} tokens and the model ${model.vocab_size}`
        : `the token ${largest} ends a text (generation_config.json or config.json), and the model has ${model.vocab_size} tokens`,
    fix: "use the tokenizer that the model was made with",
  });
}
