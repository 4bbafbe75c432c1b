import { Column } from "../../lib/column.ts";
import { type ChooseOptions, type Couple, choosePairs } from "../../preferences/rollouts/choose-pairs.ts";
import type { SkipCounts } from "../../registry/training.ts";
import type { RolloutTable } from "./rollout-table.ts";

export interface CoupleOptions extends ChooseOptions {
  /** `stratified`: a good rollout of one task over a bad one of another, too. */
  across_tasks: boolean;
}

/** Couples as numbers: 24 bytes each. */
export class CoupleList {
  readonly #chosen = Column.uint32();
  readonly #rejected = Column.uint32();
  readonly #chosenScore = Column.float64();
  readonly #rejectedScore = Column.float64();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add({ chosen, rejected }: Couple): void {
    this.#chosen.set(this.#size, chosen.at);
    this.#rejected.set(this.#size, rejected.at);
    this.#chosenScore.set(this.#size, chosen.score);
    this.#rejectedScore.set(this.#size, rejected.score);
    this.#size += 1;
  }

  get(place: number): { chosen: number; rejected: number; chosen_score: number; rejected_score: number } {
    return {
      chosen: this.#chosen.get(place),
      rejected: this.#rejected.get(place),
      chosen_score: this.#chosenScore.get(place),
      rejected_score: this.#rejectedScore.get(place),
    };
  }
}

/** The couples of all rollouts: group by group, in the order in which the groups first came. */
export function chooseCouples(table: RolloutTable, options: CoupleOptions, skipped: SkipCounts): CoupleList {
  const couples = new CoupleList();
  if (options.across_tasks) {
    chooseAcross(table, options, couples, skipped);
    return couples;
  }
  for (const { group, members } of table.inGroups()) {
    if (members.length === 1) {
      const reason = table.whyAlone(group);
      skipped[reason] = (skipped[reason] ?? 0) + 1;
      continue;
    }
    for (const couple of choosePairs(members, options, skipped)) couples.add(couple);
  }
  return couples;
}

/**
 * Each good rollout with at most `max_pairs_per_task` bad ones of any task. Which ones goes round, so that no bad one
 * stands for all; gaps are those that the thresholds allow.
 */
function chooseAcross(table: RolloutTable, options: CoupleOptions, couples: CoupleList, skipped: SkipCounts): void {
  const low: number[] = [];
  const high: number[] = [];
  for (let at = 0; at < table.size; at += 1) {
    const { score, truncated } = table.memberOf(at);
    if (score >= options.high_threshold && !truncated) high.push(at);
    if (score <= options.low_threshold) low.push(at);
  }
  const count = (reason: string, times: number) => {
    if (times > 0) skipped[reason] = (skipped[reason] ?? 0) + times;
  };
  if (high.length === 0) count("no_high", 1);
  if (low.length === 0) count("no_low", 1);
  const each = Math.min(options.max_pairs_per_task, low.length);
  let next = 0;
  for (const at of high) {
    const chosen = table.memberOf(at);
    for (let taken = 0; taken < each; taken += 1) {
      const rejected = table.memberOf(low[next % low.length] ?? 0);
      next += 1;
      const gap = chosen.score - rejected.score;
      if (!Number.isFinite(gap)) count("infinite_gap", 1);
      else if (chosen.content === rejected.content) count("equal_text", 1);
      else if (gap <= 0 || gap < options.min_gap) count("below_min_gap", 1);
      else couples.add({ chosen, rejected, gap });
    }
    count("over_max_pairs", low.length - each);
  }
}
