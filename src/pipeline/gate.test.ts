import { expect, test } from "vitest";
import { type GateCriteria, judge, type PairedScore } from "./gate.ts";

const CRITERIA: GateCriteria = { min_gain: 0, confidence: 0.95, min_n: 20 };

/** `better` examples that gain one, `worse` that lose one, and `same` that stay. */
function scores(better: number, worse: number, same: number): PairedScore[] {
  return [
    ...Array.from({ length: better }, () => ({ before: 0, after: 1 })),
    ...Array.from({ length: worse }, () => ({ before: 1, after: 0 })),
    ...Array.from({ length: same }, () => ({ before: 0.5, after: 0.5 })),
  ];
}

test("a clear gain is promoted, a clear loss is not, and noise is inconclusive", () => {
  expect(judge(scores(30, 5, 65), CRITERIA, 0)).toMatchObject({ promoted: true, n: 100, difference: 0.25 });
  expect(judge(scores(5, 30, 65), CRITERIA, 0)).toMatchObject({ promoted: false, difference: -0.25 });
  expect(judge(scores(11, 9, 80), CRITERIA, 0).promoted).toBe("inconclusive");
});

test("a gain that is smaller than asked for is not promoted, however sure it is", () => {
  const gained = scores(60, 0, 940);
  expect(judge(gained, CRITERIA, 0).promoted).toBe(true);
  expect(judge(gained, { ...CRITERIA, min_gain: 0.1 }, 0).promoted).toBe(false);
  expect(judge(gained, { ...CRITERIA, min_gain: 0.06 }, 0).promoted).toBe("inconclusive");
});

test("too few examples decide nothing, whatever they show", () => {
  expect(judge(scores(10, 0, 0), CRITERIA, 0)).toMatchObject({ promoted: "inconclusive", examples_to_decide: 20 });
  expect(judge([], CRITERIA, 0)).toMatchObject({ promoted: "inconclusive", n: 0, difference: null, interval: null });
});

test("a few examples that all gain may be chance, whatever the gate asks for", () => {
  const lenient = { ...CRITERIA, min_n: 1 };
  // Five of five lie on one side in one case of sixteen, six of six in one of thirty-two.
  expect(judge(scores(5, 0, 0), lenient, 0)).toMatchObject({ promoted: "inconclusive", examples_to_decide: 6 });
  expect(judge(scores(6, 0, 0), lenient, 0).promoted).toBe(true);
});

test("as many examples as it says would decide do decide, if the difference stays", () => {
  const small = judge(scores(22, 14, 64), CRITERIA, 0);
  expect(small.promoted).toBe("inconclusive");
  const times = (small.examples_to_decide ?? 0) / 100;
  expect(times).toBeGreaterThan(1);
  // A little more than it says: the interval is an estimate, too.
  const more = Math.ceil(times * 1.3);
  expect(judge(scores(22 * more, 14 * more, 64 * more), CRITERIA, 0).promoted).toBe(true);
});

test("a model that answers as before is not better, and no number of examples would show that it is", () => {
  expect(judge(scores(0, 0, 50), CRITERIA, 0)).toMatchObject({ promoted: false, difference: 0 });
  expect(judge(scores(10, 10, 50), CRITERIA, 0)).toMatchObject({ promoted: "inconclusive", examples_to_decide: null });
});

test("a single example that is worse may be chance: the interval ends at zero, and holds it", () => {
  const verdict = judge(scores(0, 1, 10), { ...CRITERIA, min_n: 1 }, 0);
  expect(verdict).toMatchObject({ promoted: "inconclusive", n: 11, interval: { high: 0 } });
  expect(verdict.interval?.low).toBeLessThan(0);
  expect(verdict.examples_to_decide).toBeGreaterThan(11);
});

test("what has no score is in no figure, and is counted", () => {
  const some: PairedScore[] = [...scores(30, 0, 0), { before: null, after: 1 }];
  expect(judge(some, CRITERIA, 0)).toMatchObject({ promoted: true, n: 30, unscored: 1, lost: 0, difference: 1 });
});

test("a model that fails where the old one did not is not promoted for what is left", () => {
  const some: PairedScore[] = [...scores(30, 0, 0), { before: 0, after: null }];
  expect(judge(some, CRITERIA, 0)).toMatchObject({ promoted: "inconclusive", n: 30, lost: 1 });
  const worse: PairedScore[] = [...scores(0, 30, 0), { before: 0, after: null }];
  expect(judge(worse, CRITERIA, 0).promoted).toBe(false);
});

test("the same seed gives the same verdict", () => {
  expect(judge(scores(12, 8, 30), CRITERIA, 5)).toEqual(judge(scores(12, 8, 30), CRITERIA, 5));
});
