import { expect, test } from "vitest";
import { seededRandom } from "../lib/random.ts";
import { EvaluatorSummary, type ScoreRecord } from "../records/score.ts";
import { createScoreSummary } from "./summary.ts";

function record(score: number | null, change: Partial<ScoreRecord> = {}): ScoreRecord {
  return { evaluator: "judge", example_id: "e", example_index: 0, rep: 0, run_index: 0, score, ...change };
}

function summaryOf(records: readonly ScoreRecord[], evaluators?: Parameters<typeof createScoreSummary>[0]) {
  const summary = createScoreSummary(evaluators);
  for (const one of records) summary.add(one);
  return summary.summaries();
}

test("null is not zero: what was not scored is counted and in no mean", () => {
  expect(summaryOf([record(0.5), record(null), record(1)])).toEqual({
    judge: { average_score: 0.75, n: 2, low: expect.any(Number), high: expect.any(Number), unscored: 1, metrics: {} },
  });
  expect(summaryOf([record(null)]).judge).toEqual({
    average_score: null,
    n: 0,
    low: null,
    high: null,
    unscored: 1,
    metrics: {},
  });
});

test("each metric has its own n and interval", () => {
  const { judge } = summaryOf([
    record(1, { metrics: { win: 1, length: 5 } }),
    record(1, { metrics: { win: 0, length: 7 } }),
    record(null, { metrics: { win: 1, length: null } }),
  ]);

  // win: 2 of 3 by Wilson; length: 6 +- 12.7062 * sqrt(2 / 2)
  expect(judge?.metrics).toEqual({
    length: { value: 6, n: 2, low: expect.closeTo(6 - 12.7062, 3), high: expect.closeTo(6 + 12.7062, 3) },
    win: { value: 2 / 3, n: 3, low: expect.closeTo(0.2077, 3), high: expect.closeTo(0.9385, 3) },
  });
});

test("an interval of what an evaluator calls a share stays between 0 and 1, its score's as well as a figure's", () => {
  const records = [1, 1, 0.75, 1].map((share) => record(share, { metrics: { legal: share, other: share } }));
  const { judge } = summaryOf(records, { judge: { shares: ["score", "legal"] } });
  expect(judge?.metrics.other?.high).toBeGreaterThan(1);
  expect(judge?.metrics.legal?.high).toBeLessThan(1);
  expect(judge).toMatchObject({ low: judge?.metrics.legal?.low, high: judge?.metrics.legal?.high });
  const unnamed = summaryOf(records).judge;
  expect(unnamed?.high).toBe(judge?.metrics.other?.high);
});

test("an evaluator that never scored is in the summary all the same, and the order is the one given", () => {
  const summaries = summaryOf([record(1), record(1, { evaluator: "extra" })], { zeta: {}, judge: {} });

  expect(Object.keys(summaries)).toEqual(["zeta", "judge", "extra"]);
  expect(summaries.zeta).toMatchObject({ average_score: null, n: 0, unscored: 0 });
});

test("the summary is the same to the last bit in whatever order results arrive", () => {
  const random = seededRandom(3);
  const records = Array.from({ length: 300 }, (_, index) =>
    record(random() < 0.1 ? null : random() * 10 ** (index % 7), {
      evaluator: index % 2 ? "one" : "two",
      metrics: index % 3 ? { late: random() } : { early: random(), late: null },
    }),
  );
  const text = (list: readonly ScoreRecord[]) => JSON.stringify(summaryOf(list, { one: {} }));

  const inOrder = text(records);
  expect(text(records.toReversed())).toBe(inOrder);
  for (let round = 0; round < 5; round += 1) {
    const shuffled = records.map((one) => ({ one, key: random() })).sort((a, b) => a.key - b.key);
    expect(text(shuffled.map(({ one }) => one))).toBe(inOrder);
  }
  for (const summary of Object.values(summaryOf(records))) EvaluatorSummary.parse(summary);
});
