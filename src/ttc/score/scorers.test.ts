import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { silentLogger } from "../../lib/log.ts";
import { noUsage } from "../../records/usage.ts";
import { type BuildArguments, createRegistry } from "../../registry/registry.ts";
import type { Candidate, Example, Question, ScoreResult } from "../../registry/workflow.ts";
import { registerScorers } from "./register-scorers.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "scorers-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const registry = createRegistry();
registerScorers(registry);

function candidate(text: string): Candidate {
  return {
    candidate_index: 0,
    seed: 1,
    text,
    messages: [{ role: "assistant", content: text }],
    prompt: [],
    tools: undefined,
    value: undefined,
    score: null,
    reason: undefined,
    error: undefined,
    finish_reason: undefined,
    model: null,
    usage: noUsage(),
    is_selected: false,
    metadata: {},
  };
}

function question(example: Partial<Example> = {}): Question {
  return {
    label: "test",
    turn_index: 0,
    prompt: [],
    input: "?",
    example: { id: "e", index: 0, input: "?", row: {}, ...example },
    signal: new AbortController().signal,
  };
}

function componentOf(type: string) {
  const entry = registry.find("scorer", type);
  if (entry === undefined) throw new Error(`no scorer ${type}`);
  return entry.component;
}

/** The score of a reply, with options through the schema as from a configuration. */
async function score(type: string, written: Record<string, unknown>, text: string, example?: Partial<Example>) {
  const component = componentOf(type);
  const options = component.options.parse(written);
  const args = { options, name: "mine", path: (name: string) => resolve(folder, name), log: silentLogger };
  const scorer = component.build(args as BuildArguments<Record<string, unknown>>) as (
    candidate: Candidate,
    question: Question,
  ) => ScoreResult | Promise<ScoreResult>;
  const result = await scorer(candidate(text), question(example));
  return typeof result === "object" && result !== null ? result : { score: result };
}

function problems(type: string, written: Record<string, unknown>): string[] {
  const parsed = componentOf(type).options.safeParse(written);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

test("the four scorers are registered, each with a sentence for the list of components", () => {
  expect(registry.list("scorer").map(({ type }) => type)).toEqual(["exact_match", "regex", "json_schema", "llm_judge"]);
  for (const { component } of registry.list("scorer")) expect(component.description).toMatch(/\.$/);
});

// exact_match

test.each<[string, unknown, Record<string, unknown>, number | null]>([
  ["Paris", "Paris", {}, 1],
  [" **paris.** ", "Paris", {}, 1],
  ["Paris", "London", {}, 0],
  ["Paris, France", "Paris", {}, 0],
  ["paris", "Paris", { normalise: false }, 0],
  ["Paris", "Paris", { normalise: false }, 1],
  ["12.0", 12, {}, 1],
  ["1,200", "1200", {}, 1],
  ["12.0", "12", { numeric: false }, 0],
  ["12 apples", 12, {}, 0],
  ["12 apples", "12", { extract: "(\\d+) apples" }, 1],
  ["First 3, then 4: the answer is 7", 7, { extract: "-?\\d+" }, 1],
  ["ANSWER: b\nno", "B", { extract: "answer: (.)" }, 1],
  ["no number here", 7, { extract: "\\d+" }, 0],
  ["twelve", 12, { numeric: true }, 0],
  ["twelve", "twelve", { numeric: true }, null],
  ["none", ["none", 5], { numeric: true }, 0],
  ["5.0", ["none", 5], { numeric: true }, 1],
  ["true", true, {}, 1],
  ["b", ["a", "b"], {}, 1],
  ["c", ["a", "b"], {}, 0],
  ['{"y": 2, "x": 1}', { x: 1, y: 2 }, {}, 1],
  ['{"x": 1}', { x: 1, y: 2 }, {}, 0],
  ["not JSON", { x: 1 }, {}, 0],
  ["A", "The", {}, 0],
  ["", "x", {}, 0],
])("exact_match of %j with the answer %j and %j is %s", async (reply, answer, options, expected) => {
  expect((await score("exact_match", options, reply, { answer })).score).toBe(expected);
});

test("exact_match without a right answer is unscored, which is not zero", async () => {
  for (const example of [{}, { answer: null }, { answer: "" }, { answer: [] }]) {
    expect(await score("exact_match", {}, "Paris", example)).toMatchObject({ score: null, reason: /no right answer/ });
  }
});

test("exact_match takes its answer from another field of the row, or from the options", async () => {
  const row = { solution: "Rome" };

  expect((await score("exact_match", { answer_key: "solution" }, "rome", { answer: "Paris", row })).score).toBe(1);
  expect((await score("exact_match", { answer_key: "gone" }, "rome", { answer: "rome", row })).score).toBeNull();
  expect((await score("exact_match", { expected: ["yes", "y"] }, "Y", { answer: "no" })).score).toBe(1);
});

test("exact_match refuses both sources of the answer at once, and patterns that cannot say what the answer is", () => {
  expect(problems("exact_match", { expected: "a", answer_key: "b" })).toEqual([
    "answer_key: give expected or answer_key, not both",
  ]);
  expect(problems("exact_match", { extract: "(a" })[0]).toMatch(/^extract: .*[Uu]nterminated group/);
  expect(problems("exact_match", { extract: "(a)(b)" })[0]).toMatch(/2 groups/);
  expect(problems("exact_match", { extract: "(?:a)(b)" })).toEqual([]);
  expect(problems("exact_match", { normalize: true })).toHaveLength(1);
});

// regex

test.each([
  ["a move", { pattern: "<move>" }, "my <move>", 1],
  ["no move", { pattern: "<move>" }, "my move", 0],
  ["an expected absence", { pattern: "sorry", expect: "no_match" }, "fine", 1],
  ["an unexpected presence", { pattern: "sorry", expect: "no_match" }, "sorry!", 0],
  ["flags", { pattern: "PARIS", flags: "i" }, "paris", 1],
  ["the whole reply", { pattern: "a|ab", mode: "full" }, " ab\n", 1],
  ["more than the pattern", { pattern: "a|ab", mode: "full" }, "abc", 0],
  ["one line of several", { pattern: "^b$", mode: "full", flags: "m" }, "a\nb", 0],
])("regex scores %s: %j on %j is %d", async (_, options, reply, expected) => {
  expect((await score("regex", options, reply)).score).toBe(expected);
});

test("regex says what is wrong with a pattern or its flags when the configuration is read", () => {
  expect(problems("regex", { pattern: "a{2,1}" })[0]).toMatch(/^pattern: .*out of order/);
  expect(problems("regex", { pattern: "a", flags: "g" })).toEqual(["flags: flags are i, m, s and one of u, v"]);
  for (const flags of ["ii", "uv"]) expect(problems("regex", { pattern: "a", flags })[0]).toMatch(/^flags: /);
  expect(problems("regex", { pattern: "\\p{L}", flags: "u" })).toEqual([]);
});

test("regex gives up on a pattern that would run for years, as a fault and not as a score", async () => {
  await expect(score("regex", { pattern: "^(a+)+$" }, `${"a".repeat(60)}b`)).rejects.toMatchObject({
    code: "regex_timeout",
  });
});

// json_schema

const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };

test.each<[string, Record<string, unknown>, string, number, RegExp]>([
  ["bare JSON", {}, ' {"n": 1}\n', 1, /^$/],
  ["a fence", {}, '```json\n{"n": 1}\n```', 1, /^$/],
  ["a fence without a name", {}, '```\n{"n": 1}\n```\n', 1, /^$/],
  ["JSON that does not fit", {}, '{"n": "1"}', 0, /^\/n must be integer$/],
  ["text around", {}, 'Here: {"n": 1}', 0, /not JSON from character 1 on/],
  ["text around, allowed", { allow_text_around: true }, 'Here: {"n": 1}. Good?', 1, /^$/],
  ["any fitting value", { allow_text_around: true }, 'Not {"m": 1} but {"n": 2} or {"m": 3}', 1, /^$/],
  ["no fitting value", { allow_text_around: true }, 'See {"m": 1} and {"n": "x"}', 0, /^\/n must be integer$/],
  ["no JSON at all", { allow_text_around: true }, "nothing", 0, /not JSON/],
  ["an empty reply", {}, " ", 0, /empty/],
  ["a cut reply", {}, '{"n": 1', 0, /not JSON from character 8 on/],
])("json_schema scores %s", async (_, options, reply, expected, reason) => {
  const result = await score("json_schema", { schema, ...options }, reply);

  expect(result.score).toBe(expected);
  expect(result.reason ?? "").toMatch(reason);
});

test("json_schema refuses a schema that is none, when the configuration is read", () => {
  expect(problems("json_schema", { schema: { type: "objekt" } })[0]).toMatch(/^schema: schema is invalid/);
  expect(problems("json_schema", { schema: { type: "object", propertys: {} } })[0]).toMatch(/propertys/);
  expect(problems("json_schema", {})).toEqual(["schema: give one of schema and schema_file"]);
  expect(problems("json_schema", { schema, schema_file: "s.json" })).toHaveLength(1);
});

test("json_schema reads its schema from a file, and says what is wrong with that", async () => {
  writeFileSync(join(folder, "good.json"), JSON.stringify(schema));
  writeFileSync(join(folder, "bad.json"), '{"type": "objekt"}');
  writeFileSync(join(folder, "list.json"), "[]");

  expect((await score("json_schema", { schema_file: "good.json" }, '{"n": 1}')).score).toBe(1);
  for (const schema_file of ["bad.json", "list.json", "gone.json"]) {
    await expect(score("json_schema", { schema_file }, "{}")).rejects.toMatchObject({
      code: "bad_json_schema",
      exit_code: 2,
      where: schema_file,
    });
  }
});
