import { createMoments, type Moments } from "../lib/statistics.ts";
import type { EvaluatorSummary, Metric, ScoreRecord } from "../records/score.ts";
import type { Evaluator } from "../registry/evaluator.ts";

/** Adds up scores as they come. */
export interface ScoreSummary {
  /** One record of each (evaluator, run): a caller that reads a log where the last line wins decides first. */
  add(record: ScoreRecord): void;
  /** By evaluator: those named at the start in their order, then others by name. */
  summaries(): Record<string, EvaluatorSummary>;
}

interface Sums {
  scores: Moments;
  unscored: number;
  metrics: Map<string, Moments>;
}

/**
 * Means with n and 95 % intervals, per evaluator and per named metric. What was not scored is counted and in no mean.
 * Sums are exact (`lib/statistics.ts`), so the order of the records changes no bit, and memory does not grow with them.
 * An evaluator named here that never scored anything is in the summary all the same, with n 0; the intervals of its shares
 * stay between 0 and 1.
 */
export function createScoreSummary(evaluators: Readonly<Record<string, Pick<Evaluator, "shares">>> = {}): ScoreSummary {
  const named = Object.keys(evaluators);
  const table = new Map<string, Sums>();
  for (const name of named) table.set(name, emptySums());

  function add({ evaluator, score, metrics = {} }: ScoreRecord): void {
    const sums = entryOf(table, evaluator, emptySums);
    if (score === null) sums.unscored += 1;
    else sums.scores.add(score);
    for (const [name, value] of Object.entries(metrics)) {
      const moments = entryOf(sums.metrics, name, createMoments);
      if (value !== null) moments.add(value);
    }
  }

  function summaries(): Record<string, EvaluatorSummary> {
    const others = [...table.keys()].filter((name) => !named.includes(name)).sort();
    const entries = [...named, ...others].map((name) => {
      return [name, summaryOf(table.get(name), evaluators[name]?.shares)] as const;
    });
    return Object.fromEntries(entries);
  }

  return { add, summaries };
}

function entryOf<T>(map: Map<string, T>, key: string, make: () => T): T {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}

function emptySums(): Sums {
  return { scores: createMoments(), unscored: 0, metrics: new Map() };
}

function summaryOf(sums: Sums = emptySums(), shares: readonly string[] = []): EvaluatorSummary {
  const { value, n, low, high } = metricOf(sums.scores, shares.includes("score"));
  // By name, since the order in which metrics are first seen depends on the order of the records.
  const metrics = [...sums.metrics].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    average_score: value,
    n,
    low,
    high,
    unscored: sums.unscored,
    metrics: Object.fromEntries(metrics.map(([name, moments]) => [name, metricOf(moments, shares.includes(name))])),
  };
}

function metricOf(moments: Moments, isShare: boolean): Metric {
  const interval = isShare ? moments.shareInterval() : moments.interval();
  return { value: moments.mean(), n: moments.n, low: interval?.low ?? null, high: interval?.high ?? null };
}
