/** Passes text on up to the first stop string in it. */
export interface StopStrings {
  /** The text that is certain now, and whether a stop string has come; after that there is no more. */
  push(piece: string): { text: string; stopped_by: string | null };
  /** What was held back since a stop string might have begun there. */
  flush(): string;
}

/**
 * A watch for stop strings, which may come in several pieces. Of several the one that is complete first counts, then the
 * longest: so it does not matter how the text is cut into pieces.
 */
export function watchForStops(stops: readonly string[]): StopStrings {
  let held = "";
  return {
    push(piece) {
      if (stops.length === 0) return { text: piece, stopped_by: null };
      held += piece;
      const found = firstStop(held, stops);
      if (found) {
        const text = held.slice(0, found.at);
        held = "";
        return { text, stopped_by: found.stop };
      }
      const safe = held.length - longestBeginning(held, stops);
      const text = held.slice(0, safe);
      held = held.slice(safe);
      return { text, stopped_by: null };
    },
    flush() {
      const text = held;
      held = "";
      return text;
    },
  };
}

function firstStop(text: string, stops: readonly string[]): { at: number; stop: string } | undefined {
  let first: { at: number; stop: string } | undefined;
  for (const stop of stops) {
    const at = text.indexOf(stop);
    if (at === -1) continue;
    const sooner = first === undefined ? -1 : at + stop.length - (first.at + first.stop.length);
    if (sooner < 0 || (sooner === 0 && stop.length > (first?.stop.length ?? 0))) first = { at, stop };
  }
  return first;
}

/** How many of the last characters may be the beginning of a stop string. */
function longestBeginning(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length -= 1) {
      if (text.endsWith(stop.slice(0, length))) longest = length;
    }
  }
  return longest;
}
