import { metricName } from "./example-scores.ts";
import type { Measurement } from "./measure-model.ts";

/** The mean of `evaluator`, or of `evaluator.metric`, in a measurement; of the first evaluator when none is named. Null where it is unknown. */
export function figureOf(measured: Measurement | undefined, name: string | undefined): number | null {
  if (measured === undefined) return null;
  const names = Object.keys(measured.scores);
  const of = metricName(name ?? names[0] ?? "", names);
  const summary = of && measured.scores[of.evaluator];
  if (!of || !summary) return null;
  return of.metric === null ? summary.average_score : (summary.metrics[of.metric]?.value ?? null);
}
