import { expect, test } from "vitest";
import { seededRandom } from "../lib/random.ts";
import { summarise, tokenLengths } from "./token-lengths.ts";

test("median and 95th percentile are the smallest lengths that half and 95 % of all do not exceed", () => {
  const random = seededRandom(5);
  for (let count = 1; count <= 60; count += 1) {
    const lengths = Array.from({ length: count }, () => Math.floor(random() * 40));
    const least = (share: number) => {
      for (let length = 0; ; length += 1) {
        if (lengths.filter((each) => each <= length).length >= share * count) return length;
      }
    };
    const summary = summarise(lengths);
    expect(summary).toEqual({
      count,
      min: Math.min(...lengths),
      median: least(0.5),
      p95: least(0.95),
      max: Math.max(...lengths),
      sum: lengths.reduce((total, length) => total + length, 0),
    });
  }
  expect(summarise([])).toBeNull();
});

test("a pair has one prompt and two completions", () => {
  const lengths = tokenLengths([
    { line: 1, prompt_ids: [1, 2, 3], chosen_ids: [4], rejected_ids: [5, 6] },
    { line: 2, prompt_ids: [1], completion_ids: [2, 3, 4, 5] },
  ]);
  expect(lengths).toEqual({
    prompt: { count: 2, min: 1, median: 1, p95: 3, max: 3, sum: 4 },
    completion: { count: 3, min: 1, median: 2, p95: 4, max: 4, sum: 7 },
    total: { count: 3, min: 4, median: 5, p95: 5, max: 5, sum: 14 },
  });
  expect(tokenLengths([])).toBeNull();
});
