import { readLines } from "../../lib/jsonl.ts";
import { ScoreRecord } from "../../records/score.ts";

/** A figure that an evaluator gives of each run: its score, or one of its metrics. */
export interface MetricName {
  evaluator: string;
  /** null: the score itself. */
  metric: string | null;
}

/** `evaluator`, or `evaluator.metric`; an evaluator's own name may hold dots. */
export function metricName(text: string, evaluators: readonly string[]): MetricName | undefined {
  if (evaluators.includes(text)) return { evaluator: text, metric: null };
  const evaluator = evaluators.find((name) => text.startsWith(`${name}.`));
  return evaluator === undefined ? undefined : { evaluator, metric: text.slice(evaluator.length + 1) };
}

/**
 * The mean of a figure over the repetitions of each example, by its id, from a run's `scores.jsonl`; null where none of
 * them was scored.
 */
export async function exampleScores(
  path: string,
  { evaluator, metric }: MetricName,
): Promise<Map<string, number | null>> {
  const sums = new Map<string, { sum: number; n: number }>();
  for await (const { text } of readLines(path)) {
    const record = ScoreRecord.parse(JSON.parse(text));
    if (record.evaluator !== evaluator) continue;
    const value = metric === null ? record.score : (record.metrics?.[metric] ?? null);
    const of = sums.get(record.example_id) ?? { sum: 0, n: 0 };
    if (value !== null) {
      of.sum += value;
      of.n += 1;
    }
    sums.set(record.example_id, of);
  }
  return new Map([...sums].map(([id, { sum, n }]) => [id, n === 0 ? null : sum / n]));
}
