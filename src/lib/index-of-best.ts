/** The place of the greatest number, the first of equals; null counts below every number. -1 for an empty list. */
export function indexOfBest(scores: readonly (number | null)[]): number {
  let best = scores.length === 0 ? -1 : 0;
  for (const [index, score] of scores.entries()) {
    if ((score ?? -Infinity) > (scores[best] ?? -Infinity)) best = index;
  }
  return best;
}
