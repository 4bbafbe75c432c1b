import { escapePattern } from "./pre-tokenizer-steps.ts";
import type { AddedToken } from "./read-tokenizer-files.ts";

const SPACE = /\p{White_Space}/u;
const WORD_BEFORE = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D]$/u;
const WORD_AFTER = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D]/u;

/** Cuts a text at added tokens: ids where they stand, texts between them. */
export type Splitter = (text: string) => (string | number)[];

/**
 * A splitter for tokens, each with the text it is looked for by. Where several match, the leftmost wins, and of those the
 * longest. `lstrip` and `rstrip` take the white space beside a token with it; `single_word` passes over a token inside a word.
 */
export function createSplitter(tokens: readonly (AddedToken & { sought: string })[]): Splitter {
  const byText = new Map(tokens.map((token) => [token.sought, token]));
  byText.delete("");
  if (byText.size === 0) return (text) => (text === "" ? [] : [text]);
  const longestFirst = [...byText.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(escapePattern).join("|"), "g");
  return (text) => {
    const pieces: (string | number)[] = [];
    let from = 0;
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const token = byText.get(match[0]);
      let start = match.index;
      let end = start + match[0].length;
      if (token === undefined) continue;
      if (token.single_word && (WORD_BEFORE.test(text.slice(0, start)) || WORD_AFTER.test(text.slice(end)))) continue;
      if (token.lstrip) while (start > from && SPACE.test(text.charAt(start - 1))) start -= 1;
      if (token.rstrip) while (end < text.length && SPACE.test(text.charAt(end))) end += 1;
      if (start > from) pieces.push(text.slice(from, start));
      pieces.push(token.id);
      from = end;
      pattern.lastIndex = end;
    }
    if (from < text.length) pieces.push(text.slice(from));
    return pieces;
  };
}
