import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { calculate, formatNumber } from "./calculator.ts";
import { readFacts } from "./facts.ts";
import { readProblems } from "./scripted-plugin.ts";

const FACTS = readFacts(fileURLToPath(new URL("data/facts.json", import.meta.url)));
const PROBLEMS = readProblems(fileURLToPath(new URL("data/problems.jsonl", import.meta.url)));
const FACT = /\[([^\]]+)\]/g;

test("there are twenty problems, each of its own, of which fourteen need the table", () => {
  expect(PROBLEMS).toHaveLength(20);
  expect(new Set(PROBLEMS.map(({ id }) => id)).size).toBe(20);
  expect(new Set(PROBLEMS.map(({ question }) => question)).size).toBe(20);
  expect(PROBLEMS.filter(({ working }) => working.includes("["))).toHaveLength(14);
});

test("each answer is what its working comes to", () => {
  for (const { id, working, answer } of PROBLEMS) {
    const sum = working.replace(FACT, (_, name: string) => String(FACTS.find((fact) => fact.name === name)?.value));
    expect(formatNumber(calculate(sum)), id).toBe(String(answer));
  }
});

test("every fact of the table is needed by a problem", () => {
  const needed = new Set(PROBLEMS.flatMap(({ working }) => [...working.matchAll(FACT)].map(([, name]) => name)));
  expect([...needed].sort()).toEqual(FACTS.map(({ name }) => name).sort());
});
