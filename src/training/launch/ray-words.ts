import { shellWord } from "../../lib/shell-words.ts";

/**
 * Why `ray job submit` would start another command; undefined when it starts this one. It makes the words one line for a
 * shell as on Windows (Python's `list2cmdline`): a word with a space is put in double quotes, any other is left bare.
 */
export function whyNotRay(words: readonly string[]): string | undefined {
  const broken = words.find((word) => !survives(word));
  return broken === undefined
    ? undefined
    : `Ray quotes its jobs for another shell, and would change ${JSON.stringify(broken)}; leave out of paths and variables what a shell knows`;
}

function survives(word: string): boolean {
  if (word !== "" && !/[ \t]/.test(word)) return shellWord(word) === word;
  // What a shell still reads between double quotes.
  return !/[$`]|\\[\\\n]/.test(word);
}
