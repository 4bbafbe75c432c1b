import { summaryTable } from "../evaluation/table.ts";
import { EXIT, PairwrightError } from "../lib/errors.ts";
import type { Estimate } from "./estimate.ts";
import type { EvaluateResult } from "./evaluate.ts";
import { isEmpty, type PairsSummary } from "./pairs/build-pairs.ts";

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

/** What came of the pairs, for people: the yield, what was left out and why, and the files. */
export function describePairs(pairs: PairsSummary, run_dir: string): string {
  const reasons = Object.entries(pairs.skipped).sort(([, a], [, b]) => b - a);
  const lost = Object.entries(pairs.lost_fields);
  return [
    "",
    `${pairs.candidates} candidates in ${pairs.turns} turns -> ${pairs.pairs} pairs${pairs.training_type === "sft" ? "; best replies" : ""} -> ${pairs.training} training, ${pairs.validation} validation rows (split by ${pairs.split.by})`,
    `turns without signal: ${pairs.turns_without_signal} of ${pairs.turns}; candidates that no model sampled: ${pairs.off_policy_candidates}; pairs per 1,000 tokens: ${pairs.pairs_per_1000_tokens?.toFixed(2) ?? "unknown"}`,
    ...(reasons.length > 0 ? [`left out: ${reasons.map(([reason, n]) => `${reason} ${n}`).join(", ")}`] : []),
    ...(lost.length > 0
      ? [`not held by this row format: ${lost.map(([field, n]) => `${field} ${n}`).join(", ")}`]
      : []),
    ...pairs.warnings.map((warning) => `warning: ${warning}`),
    ...(isEmpty(pairs)
      ? []
      : [
          `pairs: ${run_dir}/pairs.jsonl`,
          `data set: ${run_dir}/dataset/training_file.jsonl, ${run_dir}/dataset/validation_file.jsonl`,
        ]),
  ].join("\n");
}

/** What to do about a run of which nothing came: no example ended well, or no pair could be made. */
export function faultOf({ examples, completed, errors, pairs }: { pairs?: PairsSummary | undefined } & EvaluateResult) {
  const [code] = Object.entries(errors).sort(([, a], [, b]) => b - a)[0] ?? [];
  if (completed === 0 && examples > 0 && code !== undefined) {
    return new PairwrightError({
      code,
      what: "no example completed",
      fix: 'the warnings above and "error" in runs.jsonl say why; mend it and go on with --resume',
    });
  }
  return pairs && faultOfPairs(pairs);
}

/** What to do about a build without the pairs, or for supervised fine-tuning without the rows, that it is for. */
export function faultOfPairs(summary: PairsSummary): PairwrightError | undefined {
  if (summary.training_type === "dpo") return summary.pairs === 0 ? noPairs(summary) : undefined;
  return summary.training + summary.validation === 0 ? noRows(summary) : undefined;
}

/** With the advice that fits the main reason. */
function noPairs({ skipped, turns }: PairsSummary): PairwrightError {
  const [reason] = Object.entries(skipped).sort(([, a], [, b]) => b - a)[0] ?? [];
  const fields = reason && MISSING_FIELDS[reason];
  if (fields !== undefined) return missingFields(reason ?? "", skipped[reason ?? ""] ?? 0, fields);
  const fix = turns === 0 ? NO_TURNS : ((reason && ADVICE[reason]) ?? "the reasons above say what was left out");
  return new PairwrightError({
    code: "no_pairs",
    what: "no preference pairs were generated",
    fix,
    exit_code: EXIT.no_pairs,
  });
}

/** Why a step of the builder's name was no candidate -> what it lacks. */
const MISSING_FIELDS: Record<string, string> = {
  no_turn_id: "turn_id",
  no_candidate_index: "candidate_index",
  no_prompt: "input (or prompt)",
  odd_prompt: "an input that is a text or messages",
  odd_reply: "an output that is a text or messages",
};

function missingFields(reason: string, times: number, fields: string): PairwrightError {
  return new PairwrightError({
    code: "missing_event_fields",
    what: `no preference pairs were generated: ${counted(times, "step")} of the builder's name came without ${fields} (${reason})`,
    fix: "emit candidates with context.choose; or give each step turn_id, candidate_index, input, output and score, in data or metadata",
    exit_code: EXIT.no_pairs,
  });
}

function noRows(summary: PairsSummary): PairwrightError {
  const { no_completion = 0, unwritable_row = 0 } = summary.skipped;
  // Without candidates there is neither, and for the same reasons.
  if (summary.turns === 0) return noPairs(summary);
  const unfit =
    'no reply is scored, whole and not empty: "reason", "error" and "finish_reason" of the candidates in runs.jsonl say why';
  const unwritable =
    "a row of this format holds a reply of one text, and no calls of tools: let the workflow answer in text";
  return new PairwrightError({
    code: "no_rows",
    what: "no rows for supervised fine-tuning were generated",
    fix: unwritable_row > no_completion ? unwritable : unfit,
    exit_code: EXIT.no_pairs,
  });
}

const NO_TURNS =
  "no candidates are recorded under the builder's step name: check ttc_step_name, and that the workflow calls context.choose";

const ADVICE: Record<string, string> = {
  equal_scores: "the scorer gave equal scores: sample more or more varied candidates, or score more finely",
  unscored: 'no candidate was scored: "reason" and "error" of the candidates in runs.jsonl say why',
  below_min_score_diff: "lower min_score_diff",
  single_candidate: "sample more than one candidate a turn",
  equal_text: "the candidates say the same: raise the temperature, or sample more of them",
  not_policy: "no model sampled the candidates: set policy_candidates_only to false, or let a model sample",
};

export function describeEstimate({ examples, estimated }: Estimate): string {
  if (!estimated) return `${examples} examples; no run to judge calls and tokens by yet`;
  const { from_run, llm_calls, total_tokens, cost, seconds } = estimated;
  const money = cost === null ? "" : `, $${cost.toFixed(2)}`;
  return `${examples} examples; as in run ${from_run}: about ${llm_calls} model calls, ${total_tokens} tokens${money}, ${seconds.toFixed(0)} s`;
}

/** `1 row`, `2 rows`. */
export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
