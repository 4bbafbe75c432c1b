import { expect, test } from "vitest";
import { z } from "zod";
import { silentLogger } from "../lib/log.ts";
import type { RunRecord } from "../records/run.ts";
import { noUsage } from "../records/usage.ts";
import type { BuildArguments, Component } from "../registry/registry.ts";
import type { Candidate, Example, Question, Scorer } from "../registry/workflow.ts";
import { evaluatorFromScorer } from "./evaluator-from-scorer.ts";

const options = z.strictObject({ weight: z.number().default(1) });

function evaluatorOf(score: Scorer) {
  const component: Component<"scorer", typeof options> = { description: "a test's", options, build: () => score };
  const evaluator = evaluatorFromScorer(component);
  const args = { options: { weight: 1 }, name: "mine", log: silentLogger } as BuildArguments<{ weight: number }>;
  return { evaluator, built: evaluator.build(args) };
}

function run(change: Partial<RunRecord> = {}): RunRecord {
  return {
    example_id: "a",
    example_index: 4,
    rep: 0,
    run_index: 0,
    status: "completed",
    seed: 9,
    started_at: "2026-01-01T00:00:00.000Z",
    seconds: 1,
    usage: noUsage(),
    input: "2+2?",
    answer: "4",
    output: "4",
    steps: [],
    ...change,
  };
}

const signal = new AbortController().signal;
const example: Example = { id: "a", index: 4, input: "2+2?", answer: "four", row: { level: "easy" } };

test("options and description are the scorer's", () => {
  const { evaluator } = evaluatorOf(() => 1);

  expect(evaluator.description).toBe("a test's");
  expect(evaluator.options).toBe(options);
});

test("the scorer sees the run's output as a candidate and its input as the question", async () => {
  let seen: [Candidate, Question] | undefined;
  const { built } = evaluatorOf((...args) => {
    seen = args;
    return 0.5;
  });

  expect(await built.evaluate(run(), { example, signal })).toEqual({ score: 0.5 });
  expect(seen?.[0]).toMatchObject({ text: "4", value: "4", seed: 9, messages: [{ role: "assistant", content: "4" }] });
  expect(seen?.[1]).toMatchObject({
    input: "2+2?",
    prompt: [{ role: "user", content: "2+2?" }],
    example: { id: "a", index: 4, answer: "four", row: { level: "easy" } },
    signal,
  });
});

test("without the row, the right answer is the run's", async () => {
  const { built } = evaluatorOf((_, { example: { answer, row } }) => ({ score: 1, reason: `${answer} ${row.level}` }));

  expect(await built.evaluate(run(), { example: undefined, signal })).toEqual({ score: 1, reasoning: "4 undefined" });
});

test.each([
  ["a text", "yes", "yes"],
  ["an object", { a: [1] }, '{"a":[1]}'],
  ["a number", 12, "12"],
  ["nothing", null, ""],
])("an output that is %s is read as %j", async (_, output, text) => {
  const { built } = evaluatorOf((candidate) => ({ score: 1, reason: candidate.text }));

  expect(await built.evaluate(run({ output }), { example, signal })).toEqual({ score: 1, reasoning: text });
});

test("no opinion stays no opinion, and a throw stays a throw", async () => {
  const silent = evaluatorOf(() => null).built;
  const broken = evaluatorOf(() => {
    throw new Error("cannot");
  }).built;

  expect(await silent.evaluate(run(), { example, signal })).toEqual({ score: null });
  await expect(broken.evaluate(run(), { example, signal })).rejects.toThrow("cannot");
});
