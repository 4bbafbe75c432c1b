import { expect, test } from "vitest";
import { JsonPicker, pickOf, type Wanted } from "./json-pick.ts";
import { seededRandom } from "./random.ts";

const WANTED = {
  id: "all",
  flag: "all",
  data: { input: "all", output: "all", score: "all", id: "all" },
  é: "all",
  steps: [{ id: "all", data: { input: "all", score: "all" }, list: ["all"] }],
} as const satisfies Wanted;

const STRINGS = [
  "",
  "plain",
  "é ü",
  "日本語",
  "😀",
  'quote " and \\ back',
  "line\nbreak\ttab\u0001",
  "\ud800 alone",
  "\udc00",
  "\u2028",
  '"score":1,"steps":[{',
  "}]",
  "\\u0041",
  "x".repeat(300),
];
const NUMBERS = [
  "0", "-0", "1", "-17", "123456789012345", "1234567890123456", "12345678901234567890", "0.1", "-0.5", "1.25e3",
  "1E-7", "5e+22", "1e400", "-1e-400", "0.30000000000000004", "9007199254740993",
]; // biome-ignore format: a list of forms

/** JSON written in every way that is allowed, with the wanted names wherever they may stand. */
function writer(random: () => number) {
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)] as T;
  const escaped = (text: string) =>
    [...JSON.stringify(text).slice(1, -1)]
      .map((char) => {
        if (char === "/" && random() < 0.5) return "\\/";
        const code = char.charCodeAt(0);
        const isPlain = char.length === 1 && /[a-z]/.test(char);
        return isPlain && random() < 0.1 ? `\\u${code.toString(16).padStart(4, "0").toUpperCase()}` : char;
      })
      .join("");
  const asEscapes = (text: string) =>
    [...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  const string = () => {
    const text = pick(STRINGS);
    // A backslash of an escape must stay with its letter.
    return random() < 0.8 || JSON.stringify(text).includes("\\") ? JSON.stringify(text) : `"${escaped(text)}"`;
  };
  const name = () => {
    const plain = pick([
      "id",
      "flag",
      "data",
      "input",
      "output",
      "score",
      "steps",
      "list",
      "é",
      "other",
      "",
      "__proto__",
    ]);
    return random() < 0.03 ? `"${asEscapes(plain)}"` : JSON.stringify(plain);
  };
  const value = (depth: number): string => {
    const kind = random();
    if (depth > 4 || kind < 0.25) return string();
    if (kind < 0.45) return pick(NUMBERS);
    if (kind < 0.55) return pick(["true", "false", "null", "{}", "[]"]);
    const inner = Array.from({ length: Math.floor(random() * 5) });
    if (kind < 0.85) return `{${inner.map(() => `${name()}:${value(depth + 1)}`).join(",")}}`;
    return `[${inner.map(() => value(depth + 1)).join(",")}]`;
  };
  /** A record as it mostly is: the same names in the same order, and often the very value of the one before. */
  let input = value(2);
  const record = () => {
    const step = () => {
      if (random() < 0.4) input = value(2);
      return `{"id":${string()},"data":{"input":${input},"score":${pick(NUMBERS)}},"list":${value(3)},"other":${input}}`;
    };
    const steps = Array.from({ length: Math.floor(random() * 4) }, step).join(",");
    return `{"id":${string()},"flag":${pick(["true", "null", "0"])},"data":{"input":${input},"output":${value(2)}},"steps":[${steps}],"rest":${input}}`;
  };
  const space = (text: string) => text.replace(/,"/g, () => pick([',"', ', "', ',\t"', ',\r"']));
  return { value, record, space, pick };
}

/** What a way of reading gives, or that it throws. */
function outcome(read: () => unknown): unknown {
  try {
    return { value: read() };
  } catch (error) {
    return (error as Error).name;
  }
}

const byTheBook = (bytes: Buffer, wanted: Wanted) => outcome(() => pickOf(JSON.parse(bytes.toString("utf8")), wanted));

test("what is picked is what JSON.parse gives, of whatever is JSON and however it is written", () => {
  const random = seededRandom(5);
  const { value, record, space } = writer(random);
  const picker = new JsonPicker(WANTED);
  let records = 0;
  for (let round = 0; round < 4000; round += 1) {
    const plain = random() < 0.6 ? record() : value(0);
    const text = random() < 0.1 ? space(plain) : plain;
    const bytes = Buffer.from(text);
    expect(
      outcome(() => picker.pick(bytes)),
      text,
    ).toEqual(byTheBook(bytes, WANTED));
    records += 1;
  }
  expect(records).toBe(4000);
});

test("what is no JSON throws as JSON.parse does: one byte changed, lost or too many", () => {
  const random = seededRandom(6);
  const { record, pick } = writer(random);
  const picker = new JsonPicker(WANTED);
  const bad = [0, 9, 10, 13, 31, 32, 34, 44, 45, 46, 48, 58, 91, 92, 93, 101, 117, 123, 125, 128, 195, 255];
  let thrown = 0;
  for (let round = 0; round < 6000; round += 1) {
    const bytes = Buffer.from(record());
    const at = Math.floor(random() * bytes.length);
    const changed = [
      () => Buffer.concat([bytes.subarray(0, at), Buffer.from([pick(bad)]), bytes.subarray(at + 1)]),
      () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]),
      () => Buffer.concat([bytes.subarray(0, at), Buffer.from([pick(bad)]), bytes.subarray(at)]),
      () => bytes.subarray(0, at),
      () => Buffer.concat([bytes, Buffer.from([pick(bad)])]),
    ];
    const hurt = pick(changed)();
    const expected = byTheBook(hurt, WANTED);
    if (expected === "SyntaxError") thrown += 1;
    expect(
      outcome(() => picker.pick(hurt)),
      hurt.toString("latin1"),
    ).toEqual(expected);
  }
  expect(thrown).toBeGreaterThan(2000);
  expect(thrown).toBeLessThan(5900);
});

test.each([
  ["01", "SyntaxError"],
  ["1.", "SyntaxError"],
  ["+1", "SyntaxError"],
  ["-", "SyntaxError"],
  ["1e", "SyntaxError"],
  ['"\\x"', "SyntaxError"],
  ['"\\u12g4"', "SyntaxError"],
  ['{"id":1,}', "SyntaxError"],
  ["[1,]", "SyntaxError"],
  ['{"id":tru}', "SyntaxError"],
  ["", "SyntaxError"],
  [`${"[".repeat(5000)}${"]".repeat(5000)}`, expect.anything()],
  ['{"id":1,"id":2}', { value: { id: 2 } }],
  ['{"data":1,"data":{"score":2},"data":{"id":3}}', { value: { data: { id: 3 } } }],
  ['{"\\u0069d":1}', { value: { id: 1 } }],
  ['{"data":[{"score":1,"x":2}],"steps":{"id":1}}', { value: { data: [{ score: 1, x: 2 }], steps: { id: 1 } } }],
  ['{"constructor":1,"__proto__":{"id":2}}', { value: {} }],
  [' {"id": 1}\r', { value: { id: 1 } }],
])("%s", (text, expected) => {
  const bytes = Buffer.from(text);
  for (const picker of [new JsonPicker(WANTED)]) {
    expect(outcome(() => picker.pick(bytes))).toEqual(expected);
    expect(outcome(() => picker.pick(bytes))).toEqual(expected);
    expect(byTheBook(bytes, WANTED)).toEqual(expected);
  }
});

test("a list that comes again is the same object", () => {
  const picker = new JsonPicker(WANTED);
  const read = (text: string) => picker.pick(Buffer.from(text)) as { data: { input: unknown } };
  const first = read('{"data":{"input":[{"a":1}]}}').data.input;
  expect(read('{"id":0,"data":{"input":[{"a":1}]}}').data.input).toBe(first);
  expect(read('{"id":0,"data":{"input":[{"a":2}]}}').data.input).toEqual([{ a: 2 }]);
});
