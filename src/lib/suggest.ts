import { closest, distance } from "fastest-levenshtein";

/** The known name that was most likely meant, or `undefined` when none is near. */
export function suggest(typed: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const best = closest(typed.toLowerCase(), [...known]);
  // Two letters swapped are two edits, and one slip.
  const swapped = lettersOf(typed) === lettersOf(best);
  const allowed = Math.max(swapped ? 2 : 1, Math.floor(Math.max(typed.length, best.length) / 3));
  return distance(typed.toLowerCase(), best.toLowerCase()) <= allowed ? best : undefined;
}

function lettersOf(word: string): string {
  return [...word.toLowerCase()].sort().join("");
}

/** ` Did you mean "x"?`, or nothing. */
export function didYouMean(typed: string, known: readonly string[]): string {
  const best = suggest(typed, known);
  return best === undefined ? "" : ` Did you mean "${best}"?`;
}
