import { nemoCustomizer } from "../../datasets/formats/nemo-customizer.ts";
import type { SideFinder } from "../../datasets/split.ts";
import { DpoTrajBuilder, pairModeOf, whyNoCouple } from "../../preferences/dpo-pairs.ts";
import type { DpoTrajBuilderOptions } from "../../preferences/dpo-traj-builder-options.ts";
import type { SkipCounts } from "../../registry/training.ts";
import type { BatchOptions } from "./batch.ts";
import { PlainLines, type PlainSink, Reply } from "./plain-lines.ts";
import { PlainRunReader } from "./plain-run.ts";
import { CODE, NOTHING } from "./plain-step.ts";
import { type PlainCandidate, type PlainTurn, sameBytes } from "./plain-turn.ts";
import type { PairYield } from "./yield.ts";

/**
 * Makes the pairs of runs as nearly all are, without a record of any: of plain turns, paired by `dpo_traj_builder` in
 * its usual mode, for rows of NeMo Customizer. Texts go from the run's line to the pair's as they are written. Every
 * byte, key and count is as `turnsOf`, `DpoTrajBuilder`, `nemoCustomizer` and `PairTexts` make them, in half the time.
 */
export class PlainPairs {
  readonly #builder: DpoTrajBuilderOptions;
  readonly #reader: PlainRunReader;
  readonly #lines: PlainLines;
  readonly #replies: Reply[] = [];

  private constructor(builder: DpoTrajBuilderOptions, options: BatchOptions, sides: SideFinder, sink: PlainSink) {
    this.#builder = builder;
    this.#reader = new PlainRunReader(options.builder.step_name);
    const { reward_from_score_diff } = builder;
    this.#lines = new PlainLines({ ...options, reward_from_score_diff }, this.#reader, sides, sink);
  }

  /** `undefined` when these options ask for what it cannot write. */
  static for(options: BatchOptions, sides: SideFinder, sink: PlainSink): PlainPairs | undefined {
    const builder = DpoTrajBuilder.optionsOf(options.builder);
    if (builder === undefined || options.format !== nemoCustomizer || options.training_type !== "dpo") return undefined;
    if (pairModeOf(builder) !== "all" || builder.max_pairs_per_turn !== null) return undefined;
    return new PlainPairs(builder, options, sides, sink);
  }

  /** Adds all of the run of a line; false, and nothing done, for another kind of line. */
  add(line: Buffer, found: PairYield): boolean {
    const reader = this.#reader;
    if (!reader.read(line)) return false;
    this.#lines.beginRun();
    found.runs += 1;
    found.turns += reader.turnCount;
    found.run_tokens += reader.head.total_tokens;
    for (let place = 0; place < reader.turnCount; place += 1) {
      const turn = reader.turns[place] as PlainTurn;
      this.#count(turn, found);
      this.#pair(turn, found.skipped);
    }
    return true;
  }

  #count({ first, end }: PlainTurn, found: PairYield): void {
    const { candidates } = this.#reader;
    found.candidates += end - first;
    let scored = 0;
    let score = 0;
    let differ = false;
    for (let place = first; place < end; place += 1) {
      const candidate = candidates[place] as PlainCandidate;
      if (candidate.model_start === CODE) found.off_policy_candidates += 1;
      found.candidate_tokens += candidate.tokens;
      if (Number.isNaN(candidate.score)) continue;
      if (scored > 0 && candidate.score !== score) differ = true;
      score = candidate.score;
      scored += 1;
    }
    if (scored > 1 && !differ) found.turns_without_signal += 1;
  }

  #pair(turn: PlainTurn, skipped: SkipCounts): void {
    if (turn.end - turn.first < 2) {
      count(skipped, "single_candidate");
      return;
    }
    const replies = this.#contenders(turn, skipped);
    if (replies < 2) return;
    this.#lines.beginTurn(turn);
    for (let place = 0; place < replies; place += 1) {
      const one = this.#replies[place] as Reply;
      const { score } = one.candidate;
      for (let rival = 0; rival < replies; rival += 1) {
        const other = this.#replies[rival] as Reply;
        const lower = other.candidate.score;
        // A tie counts once.
        if (lower < score || (rival > place && lower === score)) this.#consider(one, other, skipped);
      }
    }
  }

  #consider(better: Reply, worse: Reply, skipped: SkipCounts): void {
    const { candidate: one } = better;
    const { candidate: other } = worse;
    const difference = one.score - other.score;
    const isSameText = sameBytes(
      this.#reader.view,
      one.output_start,
      one.output_end,
      other.output_start,
      other.output_end,
    );
    const reason = whyNoCouple(difference, isSameText, one.is_truncated, this.#builder.min_score_diff);
    if (reason === undefined) this.#lines.add(better, worse, difference);
    else count(skipped, reason);
  }

  /** Finds the candidates of a turn that may pair, and says how many there are. */
  #contenders(turn: PlainTurn, skipped: SkipCounts): number {
    let found = 0;
    for (let place = turn.first; place < turn.end; place += 1) {
      const candidate = this.#reader.candidates[place] as PlainCandidate;
      const reason = this.#whyNoContender(candidate, turn);
      if (reason !== undefined) {
        count(skipped, reason);
        continue;
      }
      let reply = this.#replies[found];
      if (reply === undefined) {
        reply = new Reply();
        this.#replies.push(reply);
      }
      reply.use(candidate);
      found += 1;
    }
    return found;
  }

  /** As `whyNoContender` of records says it. */
  #whyNoContender(candidate: PlainCandidate, { roles, starts, ends }: PlainTurn): string | undefined {
    const { view } = this.#reader;
    const { output_start, output_end } = candidate;
    if (this.#builder.policy_candidates_only && candidate.model_start === CODE) return "not_policy";
    if (output_start === NOTHING || this.#isBlank(output_start, output_end)) return "empty";
    if (Number.isNaN(candidate.score)) return "unscored";
    const last = roles.length - 1;
    if (roles[last] !== "assistant") return undefined;
    const isSame = sameBytes(view, output_start, output_end, starts[last] ?? 0, ends[last] ?? 0);
    return isSame ? "answer_in_prompt" : undefined;
  }

  #isBlank(start: number, end: number): boolean {
    const { bytes } = this.#reader;
    const first = bytes[start + 1] ?? 0;
    // Any other character of ASCII is no white space. It is the closing quote when there is none.
    const isPlain = first > 0x22 && first < 0x7f && first !== 0x5c;
    return !isPlain && (JSON.parse(bytes.toString("utf8", start, end)) as string).trim() === "";
  }
}

function count(skipped: SkipCounts, reason: string): void {
  skipped[reason] = (skipped[reason] ?? 0) + 1;
}
