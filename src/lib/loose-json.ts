const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const TOKENS = ["NaN", "-Infinity", "Infinity"];

/**
 * `JSON.parse`, and where that fails once more with `null` for the `NaN` and `Infinity` that Python's `json` writes. What
 * is no JSON beside that throws what `JSON.parse` throws.
 */
export function parseLooseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const mended = withoutNaN(text);
    if (mended === undefined) throw error;
    return JSON.parse(mended);
  }
}

/** The text with `null` for each such token outside of strings; `undefined` when there is none. */
function withoutNaN(text: string): string | undefined {
  if (!text.includes("NaN") && !text.includes("Infinity")) return undefined;
  const pieces: string[] = [];
  let kept = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text.charCodeAt(at) === QUOTE) {
      at = stringEnd(text, at);
      continue;
    }
    const token = TOKENS.find((one) => text.startsWith(one, at));
    if (token === undefined) continue;
    pieces.push(text.slice(kept, at), "null");
    kept = at + token.length;
    at = kept - 1;
  }
  return pieces.length === 0 ? undefined : pieces.join("") + text.slice(kept);
}

/** Where the string that begins at `start` ends: its closing quote, or the end of the text. */
function stringEnd(text: string, start: number): number {
  let at = start;
  for (;;) {
    at = text.indexOf('"', at + 1);
    if (at === -1) return text.length;
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
}
