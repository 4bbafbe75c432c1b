import { expect, test } from "vitest";
import { readVerdict } from "./verdict.ts";

const scale = { min: 1, max: 10 };

test.each([
  ['{"score": 7, "reason": "fine"}', 7],
  ['I think so.\n```json\n{"reason": "fine", "score": 8.5}\n```', 8.5],
  ['{"score": "7/10"}', 7],
  ['{"score": "7"}', 7],
  ['First {"score": 3}, on reflection {"score": 4}', 4],
  ["Score: 8", 8],
  ["**Final Score:** 8", 8],
  ["Final score: **8**", 8],
  ["FINAL SCORE: 8.5.", 8.5],
  ["Score (1-10): 6", 6],
  ["The score is 6/10.", 6],
  ["score = `9`", 9],
  ["Score: 3 for style. Overall score: 5", 5],
  ['{"score": 8, "reason": "cut off he', 8],
  ["7", 7],
  ["**7/10**", 7],
  ["1", 1],
  ["10", 10],
])("%j is the score %d", (reply, score) => {
  expect(readVerdict(reply, scale)).toMatchObject({ score });
});

test.each([
  ["", /nothing/],
  ["It is a good reply.", /no score/],
  ["On a scale of 1 to 10 I like it.", /no score/],
  ["A score of 1 would be harsh.", /no score/],
  ['{"rating": 7}', /no score/],
  ['{"score": null}', /no score/],
  ['{"score": "high"}', /no score/],
  ["Score: 0", /0 is outside 1 to 10/],
  ["Score: -1", /-1 is outside/],
  ['{"score": 11}', /11 is outside/],
  ['{"score": 1e400}', /outside/],
  ["Score: 4/5", /out of 5, not out of 10/],
  ["Score: 80/100", /out of 100/],
])("%j is no verdict", (reply, problem) => {
  expect(readVerdict(reply, scale)).toEqual({ problem: expect.stringMatching(problem) });
});

test("the reason comes along", () => {
  expect(readVerdict('{"score": 2, "reason": "thin"}', scale)).toEqual({ score: 2, reason: "thin" });
});

test("a scale may start below zero", () => {
  expect(readVerdict('{"score": -1}', { min: -1, max: 1 })).toMatchObject({ score: -1 });
});
