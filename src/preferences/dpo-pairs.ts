import type { Digest } from "../lib/hash.ts";
import type { CandidateRecord, TurnRecord } from "../records/candidate.ts";
import type { UnsplitPair } from "../records/pair.ts";
import type { SkipCounts, TrajectoryBuilder } from "../registry/training.ts";
import { bestCandidate } from "./best-candidate.ts";
import { type Contender, contenderGroups } from "./contenders.ts";
import { pairId, questionDigest } from "./content.ts";
import type { DpoTrajBuilderOptions } from "./dpo-traj-builder-options.ts";

/** What candidates are called unless told. */
export const DEFAULT_STEP_NAME = "dpo_candidate_move";

/**
 * Pairs the candidates of one turn that saw the same prompt: a higher score over a lower one, never equals.
 *
 * The order is that of the chosen candidate, then the rejected one; with `max_pairs_per_turn` set it is the widest
 * score difference first, equal ones as before; couples that repeat the
 * replies of a wider one are the first to go. `skipped` counts turns (`single_candidate`), candidates (those of
 * `contenderGroups`) and couples of candidates that `pair_mode` considers, each once, by the first that applies:
 * `equal_scores`, `infinite_score_diff` (two finite scores too far apart), `equal_text`, `below_min_score_diff`,
 * `truncated_chosen` (the better one was cut off), and `over_max_pairs_per_turn`.
 */
export class DpoTrajBuilder implements TrajectoryBuilder {
  readonly step_name: string;
  readonly group_by: "turn" | "prompt";
  readonly contradictions: "drop" | "keep";
  readonly #options: DpoTrajBuilderOptions;

  constructor(options: DpoTrajBuilderOptions) {
    this.step_name = options.ttc_step_name ?? options.custom_step_name ?? DEFAULT_STEP_NAME;
    this.group_by = options.group_by;
    this.contradictions = options.contradictions;
    this.#options = options;
  }

  /** What a builder of this kind was made with, so that another thread can make the same; `undefined` for others. */
  static optionsOf(builder: TrajectoryBuilder): DpoTrajBuilderOptions | undefined {
    return #options in builder ? builder.#options : undefined;
  }

  pairsOf(turn: TurnRecord, skipped: SkipCounts): UnsplitPair[] {
    const { policy_candidates_only, min_score_diff } = this.#options;
    const pairMode = MODES[pairModeOf(this.#options)];
    if (turn.candidates.length < 2) {
      count(skipped, "single_candidate");
      return [];
    }
    const couples: Couple[] = [];
    for (const group of contenderGroups(turn.candidates, policy_candidates_only, skipped)) {
      pairMode(group, (better, worse) => consider(better, worse, min_score_diff, couples, skipped));
    }
    const questions = new Map<Contender[], Digest>();
    return capped(couples, this.#options.max_pairs_per_turn, skipped).map((couple) =>
      pairOf(turn, couple, this.#options.reward_from_score_diff, questions),
    );
  }

  /** Of one candidate, too: what makes no pair may still be learned. */
  bestOf({ candidates }: TurnRecord): CandidateRecord | undefined {
    return bestCandidate(candidates, this.#options.policy_candidates_only);
  }
}

/** Which replies of a turn pair. */
export function pairModeOf({ pair_mode, exhaustive_pairs }: DpoTrajBuilderOptions): PairMode {
  return pair_mode ?? (exhaustive_pairs ? "all" : "best_vs_worst");
}

type PairMode = NonNullable<DpoTrajBuilderOptions["pair_mode"]>;

interface Couple {
  better: Contender;
  worse: Contender;
  score_diff: number;
}

/** Takes every two of a group that a mode compares; with unequal scores the better one comes first. */
type Take = (better: Contender, worse: Contender) => void;

const MODES: Record<PairMode, (group: Contender[], take: Take) => void> = {
  all(group, take) {
    for (const one of group) takeLower(one, group, take);
  },

  best_vs_worst(group, take) {
    const best = bestOf(group);
    const worst = group.reduce((low, other) => (other.score < low.score ? other : low));
    takePassedOver(best, worst, group, take);
    // With all scores equal the best is the worst, too: another one stands for the tie.
    const other = best === worst ? group.find((one) => one.score === best.score && one !== best) : worst;
    if (other !== undefined) take(best, other);
  },

  best_vs_lower(group, take) {
    const best = bestOf(group);
    const worst = group.reduce((low, other) => (other.score < low.score ? other : low));
    takePassedOver(best, worst, group, take);
    for (const one of group) {
      if (one.score === best.score) takeLower(one, group, take);
    }
  },
};

/** One candidate with each that has a lower score, and with each later one of the same score: a tie counts once. */
function takeLower(one: Contender, group: Contender[], take: Take): void {
  let after = false;
  for (const other of group) {
    if (other === one) after = true;
    else if (other.score < one.score || (after && other.score === one.score)) take(one, other);
  }
}

/** The best reply that may be chosen, the first of equals; a reply that was cut off only when there is no other. */
function bestOf(group: Contender[]): Contender {
  return group.reduce((best, one) => {
    if (one.truncated !== best.truncated) return best.truncated ? one : best;
    return one.score > best.score ? one : best;
  });
}

/** A better reply that `bestOf` left because it was cut off is considered once, so that it is counted. */
function takePassedOver(best: Contender, worst: Contender, group: Contender[], take: Take): void {
  const over = group.find((one) => one.score > best.score);
  if (over !== undefined) take(over, worst);
}

function consider(better: Contender, worse: Contender, min: number, couples: Couple[], skipped: SkipCounts): void {
  const score_diff = better.score - worse.score;
  const reason = whyNoCouple(score_diff, better.text === worse.text, better.truncated, min);
  if (reason === undefined) couples.push({ better, worse, score_diff });
  else count(skipped, reason);
}

/** Why two replies to one prompt are no pair, as `DpoTrajBuilder` counts it; `undefined` when they are one. */
export function whyNoCouple(
  score_diff: number,
  isSameText: boolean,
  isTruncated: boolean,
  min: number,
): string | undefined {
  if (!(score_diff > 0)) return "equal_scores";
  if (!Number.isFinite(score_diff)) return "infinite_score_diff";
  if (isSameText) return "equal_text";
  if (score_diff < min) return "below_min_score_diff";
  return isTruncated ? "truncated_chosen" : undefined;
}

function capped(couples: Couple[], max: number | null, skipped: SkipCounts): Couple[] {
  if (max === null) return couples;
  // The sort is stable, and the couples stand in the order of their candidates.
  couples.sort((a, b) => b.score_diff - a.score_diff);
  if (couples.length <= max) return couples;
  count(skipped, "over_max_pairs_per_turn", couples.length - max);
  // What only says again what a wider couple says must not take the place of another one.
  const again = repeats(couples);
  let room = max - Math.min(max, couples.length - again.size);
  return couples.filter((couple) => !again.has(couple) || room-- > 0).slice(0, max);
}

/** The couples whose two replies are those of an earlier couple of the same group. */
function repeats(couples: readonly Couple[]): Set<Couple> {
  const known = new Map<Contender[], Set<string>>();
  const again = new Set<Couple>();
  for (const couple of couples) {
    const { group, text } = couple.better;
    const said = known.get(group) ?? new Set();
    known.set(group, said);
    const says = `${text.length} ${text}${couple.worse.text}`;
    if (said.has(says)) again.add(couple);
    said.add(says);
  }
  return again;
}

function pairOf(
  turn: TurnRecord,
  { better, worse, score_diff }: Couple,
  fromDifference: boolean,
  questions: Map<Contender[], Digest>,
): UnsplitPair {
  const { candidate: chosen, group } = better;
  const { candidate: rejected } = worse;
  // All of a group have the same prompt; the first one's object stands for it in every pair.
  const { prompt, tools } = group[0]?.candidate ?? chosen;
  let question = questions.get(group);
  if (question === undefined) {
    question = questionDigest(prompt, tools);
    questions.set(group, question);
  }
  const model = chosen.model === rejected.model ? (chosen.model ?? null) : null;
  const pair: UnsplitPair = {
    pair_id: pairId(question, better.digest(), worse.digest()),
    example_id: turn.source.example_id,
    rep: turn.source.rep,
    run_index: turn.source.run_index,
    turn_id: chosen.turn_id,
    turn_index: chosen.turn_index,
    prompt,
    chosen: chosen.completion,
    rejected: rejected.completion,
    chosen_score: better.score,
    rejected_score: worse.score,
    score_diff,
    reward: fromDifference ? score_diff : better.score,
    chosen_index: chosen.candidate_index,
    rejected_index: rejected.candidate_index,
    model,
    seed: turn.source.seed,
    source: "collect",
    metadata: metadataOf(chosen, rejected),
  };
  if (tools !== undefined) pair.tools = tools;
  return pair;
}

function metadataOf(chosen: Contender["candidate"], rejected: Contender["candidate"]): Record<string, unknown> {
  const metadata: Record<string, unknown> = {};
  if (chosen.seed !== undefined) metadata.chosen_seed = chosen.seed;
  if (rejected.seed !== undefined) metadata.rejected_seed = rejected.seed;
  if (chosen.model !== rejected.model) {
    metadata.chosen_model = chosen.model ?? null;
    metadata.rejected_model = rejected.model ?? null;
  }
  if (rejected.finish_reason === "length") metadata.rejected_truncated = true;
  return metadata;
}

function count(skipped: SkipCounts, reason: string, times = 1): void {
  skipped[reason] = (skipped[reason] ?? 0) + times;
}
