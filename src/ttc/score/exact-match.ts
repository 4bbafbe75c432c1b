import { z } from "zod";
import { canonicalJson } from "../../lib/hash.ts";
import { canonicalNumber, normaliseText } from "../../lib/text-match.ts";
import { timedRegex } from "../../lib/timed-regex.ts";
import type { Component } from "../../registry/registry.ts";
import type { Question, ScoreResult } from "../../registry/workflow.ts";
import { regexProblem } from "./regex-problem.ts";

const Answer = z.union([z.string().min(1), z.number(), z.boolean()]);

const options = z
  .strictObject({
    expected: z
      .union([Answer, z.array(Answer).min(1)])
      .optional()
      .describe("the right answer, the same for every row"),
    answer_key: z
      .string()
      .min(1)
      .optional()
      .describe("the row's field with the right answer; else the example's answer"),
    normalise: z
      .boolean()
      .default(true)
      .describe("compare without case, outer punctuation, quotes, and differences of white space"),
    extract: z
      .string()
      .min(1)
      .optional()
      .describe("a pattern that finds the answer in the reply: its group, else all of it; the last match counts"),
    numeric: z
      .union([z.literal("auto"), z.boolean()])
      .default("auto")
      .describe("compare as numbers (12 = 12.0 = 1.2e1): auto when both are numbers, true always, false never"),
  })
  .superRefine(({ expected, answer_key, extract }, context) => {
    if (expected !== undefined && answer_key !== undefined) {
      context.addIssue({ code: "custom", path: ["answer_key"], message: "give expected or answer_key, not both" });
    }
    const problem = extract === undefined ? undefined : regexProblem(extract, EXTRACT_FLAGS, 1);
    if (problem !== undefined) context.addIssue({ code: "custom", path: ["extract"], message: problem });
  });
type ExactMatch = z.output<typeof options>;

const EXTRACT_FLAGS = "gi";

/**
 * 1 when the reply is the right answer, else 0; null when there is no right answer to compare with. A list of answers
 * means any of them; an object is compared with the reply's JSON.
 */
export const exactMatch: Component<"scorer", typeof options> = {
  description: "1 when the reply is the right answer (normalised), else 0.",
  options,
  build: ({ options }) => {
    const answerOf = answerExtractor(options.extract);
    return ({ text }, question) => {
      const expected = expectedOf(question, options);
      if (expected.length === 0) return { score: null, reason: "there is no right answer to compare with" };
      const answer = answerOf(text);
      if (answer === undefined) return { score: 0, reason: "the pattern finds no answer in the reply" };
      return verdict(answer, expected, options);
    };
  },
};

function verdict(answer: string, expected: readonly unknown[], options: ExactMatch): ScoreResult {
  const numbers = expected.filter((one) => canonicalNumber(String(one)) !== undefined);
  if (options.numeric === true && numbers.length === 0) {
    return { score: null, reason: "the right answer is no number, and numeric is true" };
  }
  return expected.some((one) => isSame(answer, one, options)) ? 1 : 0;
}

function isSame(answer: string, expected: unknown, { numeric, normalise }: ExactMatch): boolean {
  if (typeof expected === "object" && expected !== null) return isSameJson(answer, expected);
  const right = String(expected);
  if (numeric !== false) {
    const number = canonicalNumber(right);
    if (number !== undefined && number === canonicalNumber(answer)) return true;
    if (numeric === true) return false;
  }
  return normalise ? normaliseText(answer) === normaliseText(right) : answer === right;
}

function isSameJson(answer: string, expected: object): boolean {
  try {
    return canonicalJson(JSON.parse(answer)) === canonicalJson(expected);
  } catch {
    return false;
  }
}

function expectedOf({ example }: Question, { expected, answer_key }: ExactMatch): unknown[] {
  const value = expected ?? (answer_key === undefined ? example.answer : example.row[answer_key]);
  return (Array.isArray(value) ? value : [value]).filter((one) => one !== undefined && one !== null && one !== "");
}

/** Replies reason first and answer last, so the last match is the answer. */
function answerExtractor(pattern: string | undefined): (text: string) => string | undefined {
  if (pattern === undefined) return (text) => text;
  const find = timedRegex(new RegExp(pattern, EXTRACT_FLAGS));
  return (text) => {
    const last = find(text).at(-1);
    return last?.[1] ?? last?.[0];
  };
}
