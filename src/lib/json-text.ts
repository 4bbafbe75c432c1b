/** A reply may open many brackets that never close: each costs a scan to the end. */
const MAX_FAILED_SCANS = 100;

/**
 * The JSON objects and arrays that stand somewhere in a text, outermost ones only, in order: a verdict after some prose,
 * for instance. What merely looks like one is passed over.
 */
export function* jsonValuesIn(text: string): Generator<unknown> {
  let failed = 0;
  let at = nextOpening(text, 0);
  while (at !== -1 && failed < MAX_FAILED_SCANS) {
    const end = closingOf(text, at);
    const value = end === -1 ? undefined : parseOrUndefined(text.slice(at, end));
    if (value === undefined) failed += 1;
    else yield value;
    at = nextOpening(text, value === undefined ? at + 1 : end);
  }
}

function nextOpening(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === 0x7b || char === 0x5b) return at;
  }
  return -1;
}

/** Just after the bracket that closes the one at `start`, or -1. Brackets inside strings do not count. */
function closingOf(text: string, start: number): number {
  let depth = 0;
  let inString = false;
  for (let at = start; at < text.length; at += 1) {
    const char = text[at];
    if (inString) {
      if (char === "\\") at += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') {
      inString = true;
    } else if (char === "{" || char === "[") {
      depth += 1;
    } else if (char === "}" || char === "]") {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const SPACE = /[ \t\r\n]*/y;
const TOKEN = /[{}[\],:]|"[^"\\]*(?:\\[\s\S][^"\\]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/**
 * Where a text stops being JSON, as an offset, or `undefined` when it never does. `JSON.parse` tells the place only
 * sometimes, and quotes the text when it does not.
 */
export function jsonFaultOffset(text: string): number | undefined {
  const open: string[] = [];
  let expected = "value";
  let at = 0;
  for (;;) {
    SPACE.lastIndex = at;
    SPACE.exec(text);
    at = SPACE.lastIndex;
    if (at === text.length) return expected === "end" ? undefined : at;
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0];
    const next = token === undefined ? undefined : after(expected, token, open);
    if (token === undefined || next === undefined) return at;
    // Escapes and control characters inside a string.
    if (token.startsWith('"') && parseOrUndefined(token) === undefined) return at;
    expected = next;
    at += token.length;
  }
}

/** What may follow a token, or `undefined` when the token may not stand here. `open` holds the closing brackets due. */
function after(expected: string, token: string, open: string[]): string | undefined {
  const close = open.at(-1);
  const closed = () => {
    open.pop();
    return open.length === 0 ? "end" : "comma";
  };
  const valueEnds = () => (open.length === 0 ? "end" : "comma");
  if (expected === "colon") return token === ":" ? "value" : undefined;
  if (expected === "comma") {
    if (token === ",") return close === "}" ? "key" : "value";
    return token === close ? closed() : undefined;
  }
  if (expected === "key" || expected === "key or }") {
    if (token.startsWith('"')) return "colon";
    return token === "}" && expected === "key or }" ? closed() : undefined;
  }
  if (expected === "value or ]" && token === "]") return closed();
  if (expected === "end" || "}],:".includes(token)) return undefined;
  if (token === "{") open.push("}");
  else if (token === "[") open.push("]");
  else return valueEnds();
  return token === "{" ? "key or }" : "value or ]";
}
