import { nemoCustomizer } from "../../datasets/formats/nemo-customizer.ts";
import { promptHash, type Side, type SideFinder, type SplitFacts } from "../../datasets/split.ts";
import { sha256 } from "../../lib/hash.ts";
import type { Key } from "../../lib/key-table.ts";
import { quickHash } from "../../lib/quick-hash.ts";
import { whyNoContender } from "../../preferences/contenders.ts";
import { pairId, sameContent, writtenContentOf } from "../../preferences/content.ts";
import { DpoTrajBuilder, whyNoCouple } from "../../preferences/dpo-traj-builder.ts";
import type { CandidateRecord, TurnRecord } from "../../records/candidate.ts";
import type { Message } from "../../records/message.ts";
import type { SkipCounts } from "../../registry/training.ts";
import type { BatchOptions } from "./batch.ts";
import { isPlain, plainText, SPLIT_FIELD } from "./text.ts";

const ALL: string[] = [];
const HISTORY = ["history"];

/** What a pair of a plain turn is to the other pairs, and its two lines. */
export interface PlainPair {
  pair_id: string;
  prompt: Key;
  chosen: Key;
  rejected: Key;
  split: SplitFacts;
  side: Side;
  /** What its row leaves out. */
  lost: string[];
  line: string;
  row: string;
}

/** A reply that may stand in pairs, with what is the same in each of them. */
interface Reply {
  score: number;
  index: number;
  /** Its text as JSON. */
  content: string;
  /** The messages as JSON. */
  written: string;
  key: Key;
  text: string;
  hash: string | undefined;
  truncated: false;
  seed: number | undefined;
}

/**
 * Writes the pairs of turns as nearly all of them are: one prompt of plain messages, replies of one text, no tools, one
 * model, nothing cut off; paired by `dpo_traj_builder` with `pair_mode: all`, for rows of NeMo Customizer. Such a pair
 * is never made as a record, and what pairs of a turn share is made once, so that it takes two thirds of the time. Every
 * byte, key and count is as `DpoTrajBuilder`, `nemoCustomizer` and `PairTexts` make them.
 */
export class PlainTurns {
  readonly #history: boolean;
  readonly #reward: boolean;
  readonly #minimum: number;
  readonly #policyOnly: boolean;
  readonly #by: BatchOptions["split"]["by"];
  readonly #sides: SideFinder;

  private constructor(options: BatchOptions, sides: SideFinder, builder: NonNullable<ReturnType<typeof plainBuilder>>) {
    this.#history = options.use_full_message_history;
    this.#by = options.split.by;
    this.#sides = sides;
    this.#reward = builder.reward_from_score_diff;
    this.#minimum = builder.min_score_diff;
    this.#policyOnly = builder.policy_candidates_only;
  }

  /** `undefined` when these options ask for what it cannot write. */
  static for(options: BatchOptions, sides: SideFinder): PlainTurns | undefined {
    const builder = plainBuilder(options);
    return builder === undefined ? undefined : new PlainTurns(options, sides, builder);
  }

  /** Gives `take` each pair, in order, and counts what is left out; false, and nothing done, for another kind of turn. */
  add(turn: TurnRecord, skipped: SkipCounts, take: (pair: PlainPair) => void): boolean {
    if (!isPlainTurn(turn)) return false;
    const replies: Reply[] = [];
    for (const candidate of turn.candidates) {
      const reason = whyNoContender(candidate, this.#policyOnly);
      if (reason === undefined) replies.push(replyOf(candidate));
      else count(skipped, reason);
    }
    const [first] = turn.candidates;
    if (replies.length < 2 || first === undefined) return true;
    const write = this.#writer(turn, first, take);
    for (const one of replies) {
      let after = false;
      for (const other of replies) {
        if (other === one) after = true;
        else if (other.score < one.score || (after && other.score === one.score)) {
          const reason = whyNoCouple(one, other, this.#minimum);
          if (reason === undefined) write(one, other);
          else count(skipped, reason);
        }
      }
    }
    return true;
  }

  #writer({ source, turn_id, turn_index }: TurnRecord, first: CandidateRecord, take: (pair: PlainPair) => void) {
    const { prompt, model } = first;
    const { example_id, rep, run_index, seed, group } = source;
    const contents = prompt.map(({ content }) => JSON.stringify(content));
    const written = plainText(prompt, contents);
    const rowPrompt = this.#history ? written : (contents.at(-1) ?? '""');
    const split = this.#sides.factsOf({ example_id, group, prompt_hash: promptHash(rowPrompt) });
    const side = this.#by === "prompt" ? split.prompts : split.own;
    const lost = !this.#history && prompt.length > 1 ? HISTORY : ALL;
    const key = quickHash(written);
    const question = sha256(writtenContentOf(prompt, contents));
    // Flat: it is copied for every pair.
    const head = [
      `","example_id":${JSON.stringify(example_id)},"rep":${rep},"run_index":${run_index}`,
      `,"turn_id":${JSON.stringify(turn_id)},"turn_index":${turn_index},"prompt":${written},"chosen":`,
    ].join("");
    const origin = `,"model":${JSON.stringify(model ?? null)},"seed":${seed},${SPLIT_FIELD}${side}","source":"collect","metadata":{`;
    const rowHead = `{"prompt":${rowPrompt},"chosen_response":`;
    return (better: Reply, worse: Reply) => {
      better.hash ??= sha256(better.text);
      worse.hash ??= sha256(worse.text);
      const pair_id = pairId(question, better.hash, worse.hash);
      // Writing out a fraction takes longer than all else in this line.
      const difference = String(better.score - worse.score);
      const line =
        `{"pair_id":"${pair_id}${head}${better.written},"rejected":${worse.written}` +
        `,"chosen_score":${better.score},"rejected_score":${worse.score}` +
        `,"score_diff":${difference},"reward":${this.#reward ? difference : better.score}` +
        `,"chosen_index":${better.index},"rejected_index":${worse.index}${origin}${seedsText(better, worse)}}}\n`;
      const row = `${rowHead}${better.content},"rejected_response":${worse.content}}\n`;
      take({ pair_id, prompt: key, chosen: better.key, rejected: worse.key, split, side, lost, line, row });
    };
  }
}

function plainBuilder({ builder, format, training_type }: BatchOptions) {
  const options = DpoTrajBuilder.optionsOf(builder);
  if (options === undefined || format !== nemoCustomizer || training_type !== "dpo") return undefined;
  const mode = options.pair_mode ?? (options.exhaustive_pairs ? "all" : "best_vs_worst");
  return mode === "all" && options.max_pairs_per_turn === null ? options : undefined;
}

function isPlainTurn({ candidates }: TurnRecord): boolean {
  const [first] = candidates;
  if (first === undefined || candidates.length < 2) return false;
  const { prompt, model } = first;
  for (const candidate of candidates) {
    if (candidate.model !== model || candidate.tools !== undefined || candidate.finish_reason === "length")
      return false;
    if (!isPlainReply(candidate.completion) || !sameContent(candidate.prompt, prompt)) return false;
  }
  return prompt.every((message) => isPlain(message) && message.role !== "tool");
}

function isPlainReply([only, ...more]: readonly Message[]): boolean {
  return only === undefined || (more.length === 0 && only.role === "assistant" && isPlain(only));
}

function replyOf({ completion, score, candidate_index, seed }: CandidateRecord): Reply {
  const content = JSON.stringify(completion[0]?.content);
  const written = `[{"role":"assistant","content":${content}}]`;
  return {
    score: score ?? Number.NaN,
    index: candidate_index,
    content,
    written,
    key: quickHash(written),
    text: writtenContentOf(completion, [content]),
    hash: undefined,
    truncated: false,
    seed,
  };
}

function seedsText({ seed: chosen }: Reply, { seed: rejected }: Reply): string {
  if (chosen === undefined) return rejected === undefined ? "" : `"rejected_seed":${rejected}`;
  return rejected === undefined ? `"chosen_seed":${chosen}` : `"chosen_seed":${chosen},"rejected_seed":${rejected}`;
}

function count(skipped: SkipCounts, reason: string): void {
  skipped[reason] = (skipped[reason] ?? 0) + 1;
}
