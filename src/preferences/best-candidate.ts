import type { CandidateRecord } from "../records/candidate.ts";
import { whyNoContender } from "./contenders.ts";

/**
 * The candidate with the highest score, the first of equals, whatever prompt it answers. Never one that has no reply or
 * no score, was cut off, or whose prompt ends with the reply already; with `policyOnly` never one that no model sampled.
 * `undefined` when there is no other.
 */
export function bestCandidate(
  candidates: readonly CandidateRecord[],
  policyOnly: boolean,
): CandidateRecord | undefined {
  let best: CandidateRecord | undefined;
  for (const candidate of candidates) {
    if (candidate.finish_reason === "length" || whyNoContender(candidate, policyOnly) !== undefined) continue;
    // The candidates that are left have a score.
    if (best === undefined || Number(candidate.score) > Number(best.score)) best = candidate;
  }
  return best;
}
