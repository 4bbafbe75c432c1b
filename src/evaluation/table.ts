import type { EvaluatorSummary } from "../records/score.ts";
import type { Usage } from "../records/usage.ts";

/** What the terminal is told of an evaluation. */
export interface TableArguments {
  scores: Record<string, EvaluatorSummary>;
  usage: Usage;
  /** Wall time. */
  seconds: number;
}

/**
 * The summary for people: a row an evaluator, its metrics below it, and a line of tokens, cost and time. Ends with a
 * newline. What is not known is a dash, never a zero; the cost is there only when prices are known.
 */
export function summaryTable({ scores, usage, seconds }: TableArguments): string {
  const rows = Object.entries(scores).flatMap(([name, summary]) => [
    [name, figure(summary.average_score), interval(summary), count(summary.n), count(summary.unscored)],
    ...Object.entries(summary.metrics).map(([metric, value]) => [
      `  ${metric}`,
      figure(value.value),
      interval(value),
      count(value.n),
      "",
    ]),
  ]);
  const table = rows.length === 0 ? [] : [["evaluator", "average", "95 % interval", "n", "unscored"], ...rows];
  return [...aligned(table), usageLine(usage, seconds), ""].join("\n");
}

/** Tokens, cost where it is known, and time, in one line without a newline. */
export function usageLine(usage: Usage, seconds: number): string {
  const { llm_calls, cached_calls = 0, cost } = usage;
  const cached = cached_calls > 0 ? `, ${count(cached_calls)} of them cached` : "";
  const parts = [
    `${count(usage.total_tokens)} tokens (${count(usage.prompt_tokens)} in, ${count(usage.completion_tokens)} out)`,
    `${count(llm_calls)} model ${llm_calls === 1 ? "call" : "calls"}${cached}`,
    ...(cost === undefined ? [] : [`$${cost.toFixed(cost < 1 ? 4 : 2)}`]),
    duration(seconds),
  ];
  return parts.join(" · ");
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

function figure(value: number | null): string {
  if (value === null) return "-";
  const size = Math.abs(value);
  return size !== 0 && (size < 0.001 || size >= 1e6) ? value.toExponential(3) : value.toFixed(size >= 1000 ? 1 : 3);
}

function interval({ low, high }: { low: number | null; high: number | null }): string {
  return low === null || high === null ? "-" : `${figure(low)} to ${figure(high)}`;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}
