import type { TurnRecord } from "../../records/candidate.ts";
import type { RunRecord } from "../../records/run.ts";
import type { SkipCounts } from "../../registry/training.ts";

/** What runs hold for pairing, and what was left out: sums that can be added up, in any order. */
export interface PairYield {
  runs: number;
  turns: number;
  candidates: number;
  off_policy_candidates: number;
  /** Turns of at least two scored candidates whose scores are all equal: nothing can be learned from them. */
  turns_without_signal: number;
  run_tokens: number;
  candidate_tokens: number;
  skipped: SkipCounts;
}

export function noYield(): PairYield {
  return {
    runs: 0,
    turns: 0,
    candidates: 0,
    off_policy_candidates: 0,
    turns_without_signal: 0,
    run_tokens: 0,
    candidate_tokens: 0,
    skipped: {},
  };
}

/** Counts a run and its turns. */
export function countRun(found: PairYield, run: RunRecord, turns: readonly TurnRecord[]): void {
  found.runs += 1;
  found.turns += turns.length;
  const total: unknown = run.usage?.total_tokens;
  if (typeof total === "number" && total > 0) found.run_tokens += total;
  for (const { candidates } of turns) {
    found.candidates += candidates.length;
    let scored = 0;
    let first: number | null = null;
    let differ = false;
    for (const { score, model, tokens } of candidates) {
      if (model === null) found.off_policy_candidates += 1;
      found.candidate_tokens += tokens ?? 0;
      if (score === null) continue;
      scored += 1;
      first ??= score;
      if (score !== first) differ = true;
    }
    if (scored > 1 && !differ) found.turns_without_signal += 1;
  }
}

/** Adds `more` into `sum`, in place. */
export function addYield(sum: PairYield, more: PairYield): void {
  sum.runs += more.runs;
  sum.turns += more.turns;
  sum.candidates += more.candidates;
  sum.off_policy_candidates += more.off_policy_candidates;
  sum.turns_without_signal += more.turns_without_signal;
  sum.run_tokens += more.run_tokens;
  sum.candidate_tokens += more.candidate_tokens;
  addCounts(sum.skipped, more.skipped);
}

/** Adds `more` into `sum`, reason by reason, in place. */
export function addCounts(sum: Record<string, number>, more: Record<string, number>): void {
  for (const [name, times] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + times;
}
