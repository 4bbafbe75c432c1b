import type { EvaluatorSummary, Metric } from "../records/score.ts";
import type { Judged } from "./finetune/measuring.ts";
import type { Measurement } from "./measure/measure-model.ts";

/** Before and after as a table for people; undefined where nothing was measured. */
export function describeJudged({ before, after, verdict }: Partial<Judged>): string | undefined {
  if (before === undefined) return undefined;
  const measured = after === undefined ? [before] : [before, after];
  const models = measured.map(({ model }) => model).join(" -> ");
  const lines = [
    `measured on ${before.examples} ${where(before)} (${models}); the model by itself, one reply a turn:`,
    ...table(measured, ({ scores }) => scores),
  ];
  if (before.best_of_n !== null) {
    lines.push("with the workflow's candidates and its scorer choosing, which measures the scorer, too:");
    lines.push(...table(measured, ({ best_of_n }) => best_of_n ?? {}));
  }
  if (verdict !== undefined) lines.push(`${WORDS[String(verdict.promoted) as keyof typeof WORDS]}: ${verdict.reason}`);
  return lines.join("\n");
}

function where({ reps, held_out }: Measurement): string {
  const kind = held_out === false ? "examples that it was trained on, for none is held out" : "held-out examples";
  return reps === 1 ? kind : `${kind}, ${reps} times each`;
}

const WORDS = { true: "better", false: "not better", inconclusive: "inconclusive" };

function table(measured: readonly Measurement[], of: (one: Measurement) => Record<string, EvaluatorSummary>): string[] {
  const [first] = measured;
  if (first === undefined) return [];
  return Object.keys(of(first)).flatMap((evaluator) => {
    const summaries = measured.map((one) => of(one)[evaluator]);
    const metrics = Object.keys(summaries[0]?.metrics ?? {});
    const row = (name: string, metric: (summary: EvaluatorSummary) => Metric | undefined) =>
      `  ${name.padEnd(34)}${summaries.map((summary) => figure(summary && metric(summary)).padEnd(32)).join("")}`.trimEnd();
    return [
      row(evaluator, ({ average_score, n, low, high }) => ({ value: average_score, n, low, high })),
      ...metrics.map((name) => row(`  ${name}`, (summary) => summary.metrics[name])),
    ];
  });
}

function figure(metric: Metric | undefined): string {
  if (metric === undefined || metric.value === null) return `unknown (n ${metric?.n ?? 0})`;
  const { value, low, high, n } = metric;
  const range = low === null || high === null ? "" : `, ${low.toFixed(3)} to ${high.toFixed(3)}`;
  return `${value.toFixed(3)} (n ${n}${range})`;
}
