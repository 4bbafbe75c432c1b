import { withoutCalls } from "../../datasets/formats/without-calls.ts";
import { ByteBuffer } from "../../lib/byte-sink.ts";
import { STANDS_FOR } from "../../lib/form-reader.ts";
import { keyOfHex } from "../../lib/key-table.ts";
import { contentDigest, contentHash, pairId, questionDigest, questionHash } from "../../preferences/content.ts";
import { charactersOf, sideOf } from "../../preferences/rollouts/completion.ts";
import { firstDivergence } from "../../preferences/rollouts/divergence.ts";
import { charactersWritten, type PlainRollout, writeRow } from "../../preferences/rollouts/plain-rollout.ts";
import { type FactOptions, promptOf, taskOf } from "../../preferences/rollouts/rollout-facts.ts";
import type { Tool } from "../../records/message.ts";
import type { DatasetFormat, FormatOptions, ReadPair } from "../../registry/training.ts";
import {
  addFacts,
  type MadePair,
  type MadeRows,
  newRowMemory,
  type PlacedCouple,
  ROW_WIDTH,
  type RowMemory,
} from "./made-rows.ts";
import { type FoundRollout, type OpenSource, RolloutLines } from "./rollout-lines.ts";

/** How rows are made of couples. */
export interface RowOptions extends FactOptions, FormatOptions {
  format: DatasetFormat;
  allow_loss: boolean;
}

/** Reads the rollouts of couples again, and makes them into rows. */
export class RowMaker {
  readonly #options: RowOptions;
  readonly #sources: readonly OpenSource[];
  readonly #lines: RolloutLines;
  readonly #training = new ByteBuffer(0);
  readonly #validation = new ByteBuffer(0);

  constructor(options: RowOptions, sources: readonly OpenSource[]) {
    this.#options = options;
    this.#sources = sources;
    this.#lines = new RolloutLines(options, sources);
  }

  /** The rows lie in `memory`, which may be given again when they are no longer needed. */
  make(couples: readonly PlacedCouple[], memory: RowMemory = newRowMemory()): MadeRows {
    const made: MadeRows = {
      rows: 0,
      facts: new Uint32Array(couples.length * ROW_WIDTH),
      scores: new Float64Array(couples.length * 2),
      training: EMPTY,
      validation: EMPTY,
      skipped: {},
      lost: {},
      refused: undefined,
    };
    this.#training.useMemory(memory[0]);
    this.#validation.useMemory(memory[1]);
    for (const couple of couples) this.#make(couple, made);
    made.training = this.#training.bytes();
    made.validation = this.#validation.bytes();
    return made;
  }

  #make(couple: PlacedCouple, made: MadeRows): void {
    const pair = this.#pairOf(couple);
    if (typeof pair === "string") {
      count(made.skipped, pair);
      return;
    }
    const { allow_loss } = this.#options;
    const { row, lost } = this.#row(pair);
    const all = pair.lost.length === 0 ? lost : [...new Set([...pair.lost, ...lost])];
    if (all.includes("tool_calls") && !allow_loss) made.refused ??= couple.chosen;
    if (pair.lost.includes("turns") && !allow_loss) {
      count(made.skipped, "several_turns");
      return;
    }
    if (row === null) {
      for (const name of lost) count(made.skipped, `unwritable_${name}`);
      return;
    }
    for (const name of all) count(made.lost, name);
    const sink = couple.side === "training" ? this.#training : this.#validation;
    if (pair.texts === undefined) sink.write(`${JSON.stringify(row)}\n`);
    else {
      writeRow(sink, row, pair.texts);
      sink.write("\n");
    }
    addFacts(made, pair, couple);
  }

  /** The row of a pair; where calls may be dropped, and are in the way, that of what is said beside them. */
  #row({ pair }: MadePair): ReturnType<DatasetFormat["row"]> {
    const { format, allow_loss } = this.#options;
    const written = format.row(pair, this.#options);
    if (written.row !== null || !allow_loss || !written.lost.includes("tool_calls")) return written;
    const texts = withoutCalls(pair);
    if (texts === undefined) return written;
    const { row, lost } = format.row(texts, this.#options);
    return { row, lost: row === null ? lost : [...lost, "tool_calls"] };
  }

  #pairOf(couple: PlacedCouple): MadePair | string {
    const { completion } = this.#options;
    const plain = this.#plainPairOf(couple);
    if (plain !== undefined) return plain;
    const better = this.#lines.rolloutAt(couple.chosen);
    const worse = this.#lines.rolloutAt(couple.rejected);
    const prompt = promptOf(better.rollout, better.row, this.#options);
    if (completion === "divergence") {
      const parted = firstDivergence(better.rollout.completion, worse.rollout.completion);
      if (typeof parted === "string") return parted;
      const { shared, chosen, rejected } = parted;
      const said = { prompt: [...prompt, ...shared], chosen, rejected, lost: NOTHING };
      const pair = this.#pair(couple, better, worse, said);
      const characters = {
        prompt: charactersOf(said.prompt),
        chosen: charactersOf(chosen),
        rejected: charactersOf(rejected),
      };
      return { pair, keys: keysOf(said, better.rollout.tools), characters, lost: NOTHING };
    }
    const chosen = sideOf(better.rollout.completion, completion);
    const rejected = sideOf(worse.rollout.completion, completion);
    // Blank but for white space that is not ASCII: the first reading looks at bytes.
    if (typeof chosen === "string") return chosen;
    if (typeof rejected === "string") return rejected;
    const lost = chosen.lost === rejected.lost ? chosen.lost : [...new Set([...chosen.lost, ...rejected.lost])];
    const said = { prompt, chosen: chosen.messages, rejected: rejected.messages };
    return { ...this.#made(couple, better, worse, said, charactersOf(prompt)), lost };
  }

  /** The pair of two plain rollouts, for a format that hands their texts on. */
  #plainPairOf(couple: PlacedCouple): MadePair | undefined {
    const { holds_provenance, keeps_texts } = this.#options.format;
    if (keeps_texts !== true || holds_provenance === true) return undefined;
    const better = this.#lines.plainAt(couple.chosen);
    const worse = better && this.#lines.plainAt(couple.rejected);
    if (better === undefined || worse === undefined) return undefined;
    const said = {
      prompt: [{ ...better.prompt[0], content: ASKED }],
      chosen: [{ ...better.completion[0], content: BETTER }],
      rejected: [{ ...worse.completion[0], content: WORSE }],
    };
    const texts = new Map([
      [ASKED, better.asked],
      [BETTER, better.said],
      [WORSE, worse.said],
    ]);
    const found = (rollout: PlainRollout) => ({ row: undefined, rollout });
    return {
      ...this.#made(couple, found(better), found(worse), said, charactersWritten(better.asked)),
      lost: NOTHING,
      texts,
    };
  }

  #made(couple: PlacedCouple, better: FoundRollout, worse: FoundRollout, said: Said, prompt: number) {
    const { question, chosen, rejected } = couple;
    return {
      pair: this.#pair(couple, better, worse, said),
      keys: { question, chosen: chosen.content, rejected: rejected.content },
      characters: { prompt, chosen: chosen.characters, rejected: rejected.characters },
    };
  }

  #pair(couple: PlacedCouple, better: FoundRollout, worse: FoundRollout, said: Said): ReadPair {
    const { chosen, chosen_score, rejected_score, side } = couple;
    const { tools, model } = better.rollout;
    const score_diff = chosen_score - rejected_score;
    const pair: ReadPair = {
      prompt: said.prompt,
      chosen: said.chosen,
      rejected: said.rejected,
      chosen_score,
      rejected_score,
      score_diff,
      reward: score_diff,
    };
    if (tools !== undefined) pair.tools = tools;
    if (this.#options.format.holds_provenance !== true) return pair;
    const question = questionHash(said.prompt, tools);
    const rejectedModel = worse.rollout.model;
    return {
      pair_id: pairId(questionDigest(said.prompt, tools), contentDigest(said.chosen), contentDigest(said.rejected)),
      example_id: taskOf(better.rollout, better.row, this.#options) ?? question,
      rep: 0,
      run_index: 0,
      turn_id: question,
      turn_index: 0,
      ...pair,
      chosen_index: better.rollout.rollout ?? 0,
      rejected_index: worse.rollout.rollout ?? 0,
      model: model === rejectedModel ? (model ?? null) : null,
      seed: 0,
      split: side,
      source: this.#sources[chosen.file]?.reader_name ?? "",
      metadata: model === rejectedModel ? {} : { chosen_model: model ?? null, rejected_model: rejectedModel ?? null },
    };
  }
}

type Said = Pick<ReadPair, "prompt" | "chosen" | "rejected">;

function keysOf({ prompt, chosen, rejected }: Said, tools: readonly Tool[] | undefined): MadePair["keys"] {
  return {
    question: keyOfHex(questionHash(prompt, tools)),
    chosen: keyOfHex(contentHash(chosen)),
    rejected: keyOfHex(contentHash(rejected)),
  };
}

const EMPTY = new Uint8Array(0);
/** What stands for the texts of a pair of plain rollouts. */
const [ASKED, BETTER, WORSE] = ["asked", "better", "worse"].map((name) => STANDS_FOR + name) as [
  string,
  string,
  string,
];
const NOTHING: readonly string[] = [];

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
