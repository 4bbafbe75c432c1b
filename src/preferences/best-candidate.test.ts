import { expect, test } from "vitest";
import type { CandidateRecord } from "../records/candidate.ts";
import { bestCandidate } from "./best-candidate.ts";

type Given = [text: string | null, score: number | null, more?: Partial<CandidateRecord>];

function best(given: Given[], policyOnly = false): unknown {
  const candidates = given.map(
    ([text, score, more], candidate_index): CandidateRecord => ({
      turn_id: "t",
      turn_index: 0,
      candidate_index,
      prompt: [{ role: "user", content: "?" }],
      completion: text === null ? [] : [{ role: "assistant", content: text }],
      score,
      is_selected: false,
      model: "m",
      ...more,
    }),
  );
  return bestCandidate(candidates, policyOnly)?.completion[0]?.content;
}

test("the highest score is the best, whatever was selected and whatever the others were asked", () => {
  expect(
    best([
      ["a", 0.1, { is_selected: true }],
      ["b", 0.9],
      ["c", 0.5],
    ]),
  ).toBe("b");
  expect(
    best([
      ["a", -3],
      ["b", -1],
    ]),
  ).toBe("b");
  expect(
    best([
      ["a", 0],
      ["b", 1, { prompt: [{ role: "user", content: "again?" }] }],
    ]),
  ).toBe("b");
});

test("of equals it is the first, and one alone is the best there is", () => {
  expect(
    best([
      ["a", 0.1],
      ["b", 0.9],
      ["c", 0.9],
    ]),
  ).toBe("b");
  expect(best([["a", -1]])).toBe("a");
});

test("cut off, empty, unscored and already given replies are never the best", () => {
  const unfit: Given[] = [
    ["cut", 9, { finish_reason: "length" }],
    [null, 9],
    [" \n", 9],
    ["unscored", null],
    ["given", 9, { prompt: [{ role: "assistant", content: "given" }] }],
  ];
  expect(best([...unfit, ["worse", 0]])).toBe("worse");
  expect(best(unfit)).toBeUndefined();
  expect(best([])).toBeUndefined();
});

test("where only a model's replies are wanted, one that code made is not the best", () => {
  const given: Given[] = [
    ["code", 1, { model: null }],
    ["model", 0],
  ];
  expect([best(given), best(given, true)]).toEqual(["code", "model"]);
});
