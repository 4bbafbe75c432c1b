const HEAD = '{"key":"';
const MIDDLE = '","value":';
const KEY_LENGTH = 64;
const TAIL = "}";

/** Where the value of a line begins, in bytes. A whole line is longer. */
export const VALUE_AT = HEAD.length + KEY_LENGTH + MIDDLE.length;

/** One stored reply. The key stands first and at a fixed place, so that opening a cache need not parse it. */
export function lineOf(key: string, json: string): string {
  // Raw line breaks in JSON stand only between its tokens.
  const value = json.includes("\n") || json.includes("\r") ? json.replace(/[\r\n]+/g, " ") : json;
  return HEAD + key + MIDDLE + value + TAIL;
}

/** The JSON text of a line, if it is this key's: 64 bits of two keys can be equal, and a file can be changed. */
export function valueIn(line: string, key: string): string | undefined {
  return line.startsWith(HEAD + key + MIDDLE) && line.endsWith(TAIL) ? line.slice(VALUE_AT, -TAIL.length) : undefined;
}

/** The key that begins a line, given its first `VALUE_AT` bytes; undefined when it is no line of ours. */
export function keyIn(head: string): string | undefined {
  if (!head.startsWith(HEAD) || !head.endsWith(MIDDLE)) return undefined;
  const key = head.slice(HEAD.length, HEAD.length + KEY_LENGTH);
  return /^[0-9a-f]{64}$/.test(key) ? key : undefined;
}
