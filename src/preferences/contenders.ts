import { type Digest, digestOf } from "../lib/hash.ts";
import type { CandidateRecord } from "../records/candidate.ts";
import type { Message } from "../records/message.ts";
import type { SkipCounts } from "../registry/training.ts";
import { contentOf, isBlank, sameContent, sameTools } from "./content.ts";

/** A candidate that may stand in a pair: it has a reply and a finite score. */
export interface Contender {
  candidate: CandidateRecord;
  score: number;
  /** The reply, equal for equal replies. */
  text: string;
  /** What its pairs' ids are made of, made once. */
  digest(): Digest;
  /** Cut off at the token limit: good enough to be rejected, never to be chosen. */
  truncated: boolean;
  /** Those it may pair with, itself included. */
  group: Contender[];
}

/**
 * The candidates of a turn that may pair, grouped by what they saw: equal prompt, equal tools. Only groups of two and
 * more come back. `skipped` counts candidates, each once, by the first that applies: `not_policy` (no model sampled
 * it, and such are not wanted), `empty` (no reply), `unscored`, `answer_in_prompt` (the prompt ends with the very
 * reply), `different_prompt` (no other candidate of the turn saw the same prompt).
 */
export function contenderGroups(
  candidates: readonly CandidateRecord[],
  policyOnly: boolean,
  skipped: SkipCounts,
): Contender[][] {
  const groups: Contender[][] = [];
  for (const candidate of candidates) {
    const reason = whyNoContender(candidate, policyOnly);
    if (reason !== undefined) skipped[reason] = (skipped[reason] ?? 0) + 1;
    else addTo(groups, candidate);
  }
  if (groups.length === 1) return groups.filter((group) => group.length > 1);
  return groups.filter((group) => {
    if (group.length > 1) return true;
    skipped.different_prompt = (skipped.different_prompt ?? 0) + 1;
    return false;
  });
}

/** Why a candidate may stand in no pair, as `contenderGroups` counts it; `undefined` when it may. */
export function whyNoContender(candidate: CandidateRecord, policyOnly: boolean): string | undefined {
  if (policyOnly && candidate.model === null) return "not_policy";
  if (candidate.completion.length === 0 || isBlank(candidate.completion)) return "empty";
  if (!Number.isFinite(candidate.score)) return "unscored";
  if (endsWith(candidate.prompt, candidate.completion)) return "answer_in_prompt";
  return undefined;
}

/** Whether the conversation already ends with the reply: it was recorded after the model had answered. */
function endsWith(prompt: readonly Message[], completion: readonly Message[]): boolean {
  if (prompt.at(-1)?.role !== "assistant" || completion.length > prompt.length) return false;
  return sameContent(prompt.slice(-completion.length), completion);
}

function addTo(groups: Contender[][], candidate: CandidateRecord): void {
  let group = groups.find(([first]) => first !== undefined && seesTheSame(first.candidate, candidate));
  if (group === undefined) {
    group = [];
    groups.push(group);
  }
  const text = contentOf(candidate.completion);
  let digest: Digest | undefined;
  group.push({
    candidate,
    score: candidate.score ?? Number.NaN,
    text,
    digest: () => {
      digest ??= digestOf(text);
      return digest;
    },
    truncated: candidate.finish_reason === "length",
    group,
  });
}

function seesTheSame(a: CandidateRecord, b: CandidateRecord): boolean {
  return sameContent(a.prompt, b.prompt) && sameTools(a.tools, b.tools);
}
