import { expect, test } from "vitest";
import { looksLikeKey, scrubber } from "./scrub.ts";

const KEY = "sk-0123456789-ab";

test("only what is long, or fairly long and mixed, is looked for in other texts", () => {
  const keys = ["sk-0123456789", "ABCDEFabcdef", "abcdefghijk1", "abcdefghijklmnopqrst", "pässwörter"];
  const words = ["ollama", "example", "EMPTY", "sk-012345", "abcdefghijkl", "abcdefghijklmnopqrs", ""];
  expect(keys.map(looksLikeKey)).toEqual([true, true, true, true, false]);
  expect(words.filter(looksLikeKey)).toEqual([]);
});

test("keys are taken out, longest first, also as JSON writes them once or twice", () => {
  const quoted = 'sk-"quoted"-0123456789';
  const scrub = scrubber([KEY, `${KEY}-longer`, quoted]);
  expect(scrub(`a ${KEY}-longer b ${KEY} c`)).toBe("a [redacted] b [redacted] c");
  expect(scrub(`as JSON: ${JSON.stringify({ key: quoted })}`)).toBe('as JSON: {"key":"[redacted]"}');
  const call = { arguments: JSON.stringify({ key: quoted }) };
  expect(scrub(JSON.stringify(call))).toBe(JSON.stringify({ arguments: '{"key":"[redacted]"}' }));
  expect(scrub(JSON.stringify([JSON.stringify(call)]))).not.toContain("0123456789");
});

test("words of the training data stay, though a dummy key is one of them", () => {
  const line = JSON.stringify({ example_id: "e1", output: "Install ollama, for example" });
  expect(scrubber(["ollama", "example", "", "a"])(line)).toBe(line);
});

test("in a line of JSON only texts change: keys, numbers, order and structure stay", () => {
  const scrub = scrubber(["example_index", "112233445566.5", 'true,"c":null']);
  const record = '{"example_index":112233445566.5,"b":true,"c":null,"__proto__":{"x":["an example_index"]}}';
  expect(scrub(record)).toBe(record.replace("an example_index", "an [redacted]"));
  // No line of JSON, though it begins like one.
  expect(scrub("[e1] the example_index")).toBe("[e1] the [redacted]");
});
