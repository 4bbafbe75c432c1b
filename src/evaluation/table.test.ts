import { expect, test } from "vitest";
import { noUsage } from "../records/usage.ts";
import { summaryTable, usageLine } from "./table.ts";

test("the table lines up, with metrics below their evaluator and a dash for what is not known", () => {
  const text = summaryTable({
    scores: {
      game_outcome: {
        average_score: 0.625,
        n: 1200,
        low: 0.6,
        high: 0.65,
        unscored: 3,
        metrics: { win_rate: { value: 0.5, n: 1200, low: 0.4, high: 0.6 } },
      },
      judge: { average_score: null, n: 0, low: null, high: null, unscored: 1203, metrics: {} },
    },
    usage: {
      ...noUsage(),
      prompt_tokens: 1000,
      completion_tokens: 234,
      total_tokens: 1234,
      llm_calls: 12,
      cost: 0.0123,
    },
    seconds: 3.21,
  });

  expect(text).toBe(
    [
      "evaluator     average   95 % interval      n  unscored",
      "game_outcome    0.625  0.600 to 0.650  1,200         3",
      "  win_rate      0.500  0.400 to 0.600  1,200",
      "judge               -               -      0     1,203",
      "1,234 tokens (1,000 in, 234 out) · 12 model calls · $0.0123 · 3.2 s",
      "",
    ].join("\n"),
  );
});

test("without evaluators there is the line of tokens and time alone", () => {
  expect(summaryTable({ scores: {}, usage: noUsage(), seconds: 0 })).toBe(
    "0 tokens (0 in, 0 out) · 0 model calls · 0.0 s\n",
  );
});

test.each([
  [59.94, "59.9 s"],
  [61, "1 min 1 s"],
  [7322, "2 h 2 min"],
])("%d seconds are %s", (seconds, shown) => {
  expect(usageLine(noUsage(), seconds)).toContain(` · ${shown}`);
});

test("an unknown cost is not shown as nothing, a known one of nothing is shown, and cached calls are said", () => {
  expect(usageLine(noUsage(), 1)).not.toContain("$");
  expect(usageLine({ ...noUsage(), cost: 0 }, 1)).toContain("$0.0000");
  expect(usageLine({ ...noUsage(), llm_calls: 1, cached_calls: 1, cost: 12.3 }, 1)).toContain(
    "1 model call, 1 of them cached · $12.30",
  );
});

test("very small and very large figures stay readable", () => {
  const figures = (value: number) => ({ average_score: value, n: 1, low: null, high: null, unscored: 0, metrics: {} });
  const text = summaryTable({ scores: { a: figures(0.00012), b: figures(12345.678) }, usage: noUsage(), seconds: 1 });

  expect(text).toContain("1.200e-4");
  expect(text).toContain("12345.7");
});
