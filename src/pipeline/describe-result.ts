import { summaryTable } from "../evaluation/table.ts";
import type { Estimate } from "./estimate.ts";
import type { EvaluateResult } from "./evaluate.ts";
import type { PairsSummary } from "./pairs.ts";

/** What came of a run, for people: counts, scores, usage, and where it lies. */
export function describeScores(result: EvaluateResult): string {
  const { completed, failed, examples, run_dir, errors } = result;
  const reasons = Object.entries(errors).map(([code, n]) => `${code} ${n}`);
  const failures =
    failed > 0 ? `, ${failed} failed (${reasons.join(", ")}; see "error" in runs.jsonl; --resume runs them again)` : "";
  const unjudged = Object.entries(result.score_errors).map(([code, n]) => `${code} ${n}`);
  const judging = unjudged.length > 0 ? `\nnot judged for errors: ${unjudged.join(", ")}; --resume asks again\n` : "";
  return `\n${completed} of ${examples} examples completed${failures}\n\n${summaryTable(result)}${judging}\nrun folder: ${run_dir}`;
}

const NO_PAIRS =
  "error[no_pairs]: no preference pairs were generated\n" +
  "  fix: look at the reasons above; lower min_score_diff, sample more candidates, or check that the builder's step name is the recorded one";

/** What came of the pairs, for people: the yield, what was left out and why, and the files. */
export function describePairs(pairs: PairsSummary, run_dir: string): string {
  const reasons = Object.entries(pairs.skipped).sort(([, a], [, b]) => b - a);
  const lost = Object.entries(pairs.lost_fields);
  return [
    "",
    `${pairs.candidates} candidates in ${pairs.turns} turns -> ${pairs.pairs} pairs -> ${pairs.training} training, ${pairs.validation} validation rows (split by ${pairs.split.by})`,
    `turns without signal: ${pairs.turns_without_signal}; candidates that no model sampled: ${pairs.off_policy_candidates}; pairs per 1,000 tokens: ${pairs.pairs_per_1000_tokens?.toFixed(2) ?? "unknown"}`,
    ...(reasons.length > 0 ? [`left out: ${reasons.map(([reason, n]) => `${reason} ${n}`).join(", ")}`] : []),
    ...(lost.length > 0
      ? [`not held by this row format: ${lost.map(([field, n]) => `${field} ${n}`).join(", ")}`]
      : []),
    ...(pairs.pairs === 0 ? [NO_PAIRS] : []),
    ...pairs.warnings.map((warning) => `warning: ${warning}`),
    `pairs: ${run_dir}/pairs.jsonl`,
    `data set: ${run_dir}/dataset/training_file.jsonl, ${run_dir}/dataset/validation_file.jsonl`,
  ].join("\n");
}

export function describeEstimate({ examples, estimated }: Estimate): string {
  if (!estimated) return `${examples} examples; no run to judge calls and tokens by yet`;
  const { from_run, llm_calls, total_tokens, cost, seconds } = estimated;
  const money = cost === null ? "" : `, $${cost.toFixed(2)}`;
  return `${examples} examples; as in run ${from_run}: about ${llm_calls} model calls, ${total_tokens} tokens${money}, ${seconds.toFixed(0)} s`;
}
