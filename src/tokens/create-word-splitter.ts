import { buildLibrary } from "./library.ts";
import type { Step } from "./read-tokenizer-files.ts";

/** The words of a piece of text; `section` is its place among the sections of the whole, counted with the control tokens. */
export type WordSplitter = (text: string, section: number) => string[];

/** Runs the steps of `preTokenizerSteps` one after another. Errors: `tokenizer_unsupported`, `path` is its place. */
export function createWordSplitter(steps: readonly Step[], path: string): WordSplitter {
  const built = steps.flatMap((step) => buildLibrary({ pre_tokenizer: step }, path).pre_tokenizer ?? []);
  return (text, section) => {
    const options = { section_index: section };
    let words = [text];
    for (const step of built) {
      if (words.length === 1) {
        words = step.pre_tokenize_text(words[0] ?? "", options);
        continue;
      }
      const next: string[] = [];
      for (const word of words) for (const part of step.pre_tokenize_text(word, options)) next.push(part);
      words = next;
    }
    return words;
  };
}
