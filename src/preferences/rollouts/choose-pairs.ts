import type { SkipCounts } from "../../registry/training.ts";
import { widestCouples } from "./widest-couples.ts";

export const STRATEGIES = ["same_prompt", "stratified", "all_pairs"] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** How pairs are chosen of the rollouts of one task and prompt. */
export interface ChooseOptions {
  strategy: Strategy;
  /** Least difference of rewards, compared exactly: 0.3 - 0.1 is just under 0.2. */
  min_gap: number;
  /** `stratified`: at least this may be chosen. */
  high_threshold: number;
  /** `stratified`: at most this may be rejected. */
  low_threshold: number;
  /** `stratified` and `all_pairs`: the widest gaps only. */
  max_pairs_per_task: number;
  /** Groups of fewer rollouts make no pair. */
  min_group_size: number;
}

/** A rollout as it is chosen by. */
export interface Member {
  /** Its number among all rollouts. */
  at: number;
  score: number;
  characters: number;
  /** Equal for equal completions. */
  content: string;
  truncated: boolean;
  rollout: number | undefined;
}

export interface Couple {
  chosen: Member;
  rejected: Member;
  gap: number;
}

/** Rewards this near, in parts of the larger one, are one reward: sums of tenths differ in their last bits. */
const TIE = 1e-9;

/**
 * The pairs of one group: rollouts of one task and one prompt. Which they are does not depend on the order of the
 * rollouts. Equal completions are one, with the mean of their rewards. Truncated ones are never chosen.
 *
 * `same_prompt` takes the best and the worst; among equals, the two whose lengths are nearest, so that length says
 * nothing. `skipped` counts rollouts (`single_rollout`, `small_group`, `duplicate_rollout`, `equal_text`), groups
 * (`equal_rewards`, `below_min_gap`, `truncated_best`, `no_high`, `no_low`, `infinite_gap`) and pairs (`over_max_pairs`).
 */
export function choosePairs(group: readonly Member[], options: ChooseOptions, skipped: SkipCounts): Couple[] {
  if (group.length < 2) {
    count(skipped, "single_rollout", group.length);
    return [];
  }
  if (group.length < options.min_group_size) {
    count(skipped, "small_group", group.length);
    return [];
  }
  const members = distinct(group, skipped).sort(byScore);
  const better = members.filter(({ truncated }) => !truncated);
  const [best] = better;
  const worst = members.at(-1);
  if (best === undefined || worst === undefined) {
    count(skipped, "truncated_best");
    return [];
  }
  const top = members[0];
  if (top !== undefined && top.score > best.score && !isTie(top.score, best.score)) count(skipped, "truncated_best");
  const gap = best.score - worst.score;
  const reason =
    gap <= 0 || isTie(best.score, worst.score)
      ? "equal_rewards"
      : !Number.isFinite(gap)
        ? "infinite_gap"
        : gap < options.min_gap
          ? "below_min_gap"
          : undefined;
  if (reason !== undefined) {
    count(skipped, reason);
    return [];
  }
  if (options.strategy === "same_prompt") return [nearest(best, worst, better, members)];
  return widest(better, members, options, skipped);
}

/** The couple of a best and a worst one whose lengths are nearest. */
function nearest(best: Member, worst: Member, better: readonly Member[], members: readonly Member[]): Couple {
  const byLength = (a: Member, b: Member) => a.characters - b.characters;
  const bests = better.filter(({ score }) => isTie(score, best.score)).sort(byLength);
  const worsts = members.filter(({ score }) => isTie(score, worst.score)).sort(byLength);
  let couple = { chosen: best, rejected: worst };
  let least = Number.POSITIVE_INFINITY;
  let low = 0;
  for (const chosen of bests) {
    // Both are in the order of their lengths: what was too short for the last one is too short for this one.
    for (let place = low; place < worsts.length; place += 1) {
      const rejected = worsts[place];
      if (rejected === undefined) break;
      const difference = Math.abs(chosen.characters - rejected.characters);
      if (difference < least) {
        least = difference;
        couple = { chosen, rejected };
      }
      if (rejected.characters >= chosen.characters) break;
      low = place;
    }
  }
  return { ...couple, gap: couple.chosen.score - couple.rejected.score };
}

function widest(better: Member[], members: Member[], options: ChooseOptions, skipped: SkipCounts): Couple[] {
  let [chosen, rejected] = [better, [...members].reverse()];
  if (options.strategy === "stratified") {
    chosen = chosen.filter(({ score }) => score >= options.high_threshold);
    rejected = rejected.filter(({ score }) => score <= options.low_threshold);
    if (chosen.length === 0) count(skipped, "no_high");
    else if (rejected.length === 0) count(skipped, "no_low");
  }
  const isPair = ({ chosen: { score: a }, rejected: { score: b }, gap }: Couple) =>
    gap > 0 && gap >= options.min_gap && !isTie(a, b);
  const { couples, total } = widestCouples(chosen, rejected, options.max_pairs_per_task, isPair);
  count(skipped, "over_max_pairs", total - couples.length);
  return couples;
}

/** Equal completions as one; a row that was written twice is no second try. */
function distinct(group: readonly Member[], skipped: SkipCounts): Member[] {
  const byContent = new Map<string, Member[]>();
  for (const member of group) {
    const same = byContent.get(member.content);
    if (same === undefined) byContent.set(member.content, [member]);
    else if (same.some((one) => isAgain(one, member))) count(skipped, "duplicate_rollout");
    else same.push(member);
  }
  return [...byContent.values()].map((same) => {
    count(skipped, "equal_text", same.length - 1);
    const [first, ...others] = same.sort(byRollout);
    return others.length === 0 ? (first as Member) : merged(first as Member, others);
  });
}

function isAgain(a: Member, b: Member): boolean {
  return a.rollout !== undefined && a.rollout === b.rollout && a.score === b.score;
}

function merged(first: Member, others: readonly Member[]): Member {
  const all = [first, ...others];
  // The sum of equal numbers is not always a multiple of them.
  const score = all.every((one) => one.score === first.score)
    ? first.score
    : all.reduce((sum, one) => sum + one.score / all.length, 0);
  const whole = all.find(({ truncated }) => !truncated);
  return { ...(whole ?? first), score };
}

/** Best first; among equals the order is that of the rollouts' own numbers, then of their contents: never that of the rows. */
function byScore(a: Member, b: Member): number {
  return b.score - a.score || byRollout(a, b);
}

function byRollout(a: Member, b: Member): number {
  const first = (a.rollout ?? Number.MAX_SAFE_INTEGER) - (b.rollout ?? Number.MAX_SAFE_INTEGER);
  if (first !== 0 || a.content === b.content) return first;
  return a.content < b.content ? -1 : 1;
}

function isTie(a: number, b: number): boolean {
  return a === b || Math.abs(a - b) <= TIE * Math.max(1, Math.abs(a), Math.abs(b));
}

function count(skipped: SkipCounts, reason: string, times = 1): void {
  if (times > 0) skipped[reason] = (skipped[reason] ?? 0) + times;
}
