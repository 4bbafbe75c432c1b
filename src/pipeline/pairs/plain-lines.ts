import type { Side, SideFinder, SplitFacts } from "../../datasets/split.ts";
import { BytePen, PEN_SLACK, Word } from "../../lib/byte-pen.ts";
import { type Digest, hashFraction } from "../../lib/hash.ts";
import type { Key } from "../../lib/key-table.ts";
import { quickHashOf } from "../../lib/quick-hash.ts";
import { pairIdPart } from "../../preferences/content.ts";
import type { BatchOptions } from "./batch.ts";
import { type EntryFacts, FLAG } from "./entries.ts";
import type { LineBuffer } from "./lines.ts";
import { PlainHashes } from "./plain-hashes.ts";
import type { PlainRunReader } from "./plain-run.ts";
import { NOTHING } from "./plain-step.ts";
import { PlainCandidate, PlainTurn, sameBytes } from "./plain-turn.ts";
import { FIXED_BYTES, promptBytes, WORD, wordsOf, writePrompt, writeRowPrompt } from "./plain-words.ts";

const HISTORY = ["history"];
const NONE: string[] = [];

/** A reply that may stand in pairs, and what is the same in each of them. */
export class Reply {
  candidate = new PlainCandidate();
  readonly hash: Digest = new Int32Array(4);
  isHashed = false;
  key: Key = { hi: 0, lo: 0 };
  /** Where its messages stand among the pairs; `NOTHING` before they do. */
  start = NOTHING;
  end = NOTHING;

  use(candidate: PlainCandidate): void {
    this.candidate = candidate;
    this.isHashed = false;
    this.start = NOTHING;
  }
}

/** Where pairs go. */
export interface PlainSink {
  facts: EntryFacts;
  pairs: LineBuffer;
  rows(side: Side): LineBuffer;
  /** The number of what a row leaves out. */
  lost(names: string[]): number;
}

/** How they are written. */
export interface PlainLineOptions extends BatchOptions {
  reward_from_score_diff: boolean;
}

/**
 * Writes the pairs of plain turns: byte by byte what `PairTexts` writes of such pairs and of their rows. Texts are copied
 * from the line of the run; what a pair has in common with one before it is copied from there.
 */
export class PlainLines {
  readonly #options: PlainLineOptions;
  readonly #reader: PlainRunReader;
  readonly #sides: SideFinder;
  readonly #sink: PlainSink;
  readonly #hashes = new PlainHashes();
  readonly #pen = new BytePen();
  readonly #rowPens: Record<Side, BytePen> = { training: new BytePen(), validation: new BytePen() };
  #run = new Word("");
  #origins: Record<Side, Word> = { training: this.#run, validation: this.#run };
  /** What the pairs of the turn have in common. */
  #turn = new PlainTurn();
  readonly #question: Digest = new Int32Array(4);
  #key: Key = { hi: 0, lo: 0 };
  #split: SplitFacts = { prompt: this.#key, example: 0, own: "training", prompts: "training" };
  #side: Side = "training";
  #lost = 0;
  /** Where the same stands among the pairs, and among the rows; `NOTHING` before it does. */
  #head = NOTHING;
  #headEnd = NOTHING;
  #rowHead = NOTHING;
  #rowHeadEnd = NOTHING;

  constructor(options: PlainLineOptions, reader: PlainRunReader, sides: SideFinder, sink: PlainSink) {
    this.#options = options;
    this.#reader = reader;
    this.#sides = sides;
    this.#sink = sink;
  }

  beginRun(): void {
    const { example_id, rep, run_index, seed } = this.#reader.head;
    this.#run = new Word(
      `","example_id":${JSON.stringify(example_id)},"rep":${rep},"run_index":${run_index},"turn_id":`,
    );
    const origin = (side: Side) => new Word(`,"seed":${seed},"split":"${side}","source":"collect","metadata":{`);
    this.#origins = { training: origin("training"), validation: origin("validation") };
  }

  beginTurn(turn: PlainTurn): void {
    const { view, head } = this.#reader;
    const { split, use_full_message_history } = this.#options;
    this.#turn = turn;
    this.#hashes.question(this.#question, turn, view);
    const prompt_hash = this.#hashes.rowPrompt(turn, view, use_full_message_history);
    this.#split = this.#sides.factsOf({ example_id: head.example_id, group: head.group, prompt_hash });
    this.#side = split.by === "prompt" ? this.#split.prompts : this.#split.own;
    this.#head = NOTHING;
    this.#rowHead = NOTHING;
  }

  /** Writes a pair of the turn, and its row. */
  add(better: Reply, worse: Reply, difference: number): void {
    const { facts, pairs } = this.#sink;
    this.#hash(better);
    this.#hash(worse);
    const out = pairs.raw;
    const start = out.length;
    const pen = this.#pen;
    pen.open(out.reserve(this.#mostBytes(better.candidate, worse.candidate)), start);
    pen.word(WORD.pair_id);
    for (let part = 0; part < 4; part += 1) pen.hex32(pairIdPart(part, this.#question, better.hash, worse.hash));
    const idEnd = pen.at;
    this.#writeHead();
    this.#writeReply(better);
    pen.word(WORD.rejected);
    this.#writeReply(worse);
    this.#writeScores(better.candidate, worse.candidate, difference);
    this.#writeOrigin(better.candidate, worse.candidate);
    out.endAt(pen.at);
    const guessed = this.#side === "validation" ? FLAG.guessed_validation : 0;
    const entry = facts.add({
      prompt: this.#key,
      chosen: better.key,
      rejected: worse.key,
      split: this.#split,
      flags: FLAG.has_pair | FLAG.has_row | guessed,
      lost: this.#lost,
    });
    facts.setBytes(entry, "pair_bytes", pen.at - start);
    const { max_pairs, seed } = this.#options;
    if (max_pairs !== null) {
      const pair_id = pen.memory.toString("latin1", start + WORD.pair_id.length, idEnd);
      facts.setDraw(entry, hashFraction("max_pairs", seed, pair_id));
    }
    facts.setBytes(entry, "row_bytes", this.#addRow(better.candidate, worse.candidate));
  }

  /** From the end of the pair's id to the name of `chosen`. */
  #writeHead(): void {
    const pen = this.#pen;
    if (this.#head !== NOTHING) {
      pen.again(this.#head, this.#headEnd);
      return;
    }
    const { view } = this.#reader;
    const hasHistory = !this.#options.use_full_message_history && this.#turn.roles.length > 1;
    this.#lost = this.#sink.lost(hasHistory ? HISTORY : NONE);
    this.#head = pen.at;
    pen.word(this.#run);
    pen.copy(view, this.#turn.id_start, this.#turn.id_end);
    pen.word(WORD.turn_index);
    pen.count(this.#turn.turn_index);
    pen.word(WORD.prompt);
    const start = pen.at;
    writePrompt(pen, this.#turn, view);
    this.#key = quickHashOf(pen.memory, start, pen.at);
    pen.word(WORD.chosen);
    this.#headEnd = pen.at;
  }

  #writeReply(reply: Reply): void {
    const pen = this.#pen;
    if (reply.start !== NOTHING) {
      pen.again(reply.start, reply.end);
      return;
    }
    reply.start = pen.at;
    pen.word(WORD.list);
    pen.word(wordsOf("assistant").before);
    pen.copy(this.#reader.view, reply.candidate.output_start, reply.candidate.output_end);
    pen.word(WORD.message_end);
    pen.word(WORD.list_end);
    reply.end = pen.at;
    reply.key = quickHashOf(pen.memory, reply.start, reply.end);
  }

  #writeScores(chosen: PlainCandidate, rejected: PlainCandidate, difference: number): void {
    const pen = this.#pen;
    const { view } = this.#reader;
    pen.word(WORD.chosen_score);
    pen.copy(view, chosen.score_start, chosen.score_end);
    pen.word(WORD.rejected_score);
    pen.copy(view, rejected.score_start, rejected.score_end);
    pen.word(WORD.score_diff);
    const start = pen.at;
    pen.ascii(String(difference));
    const end = pen.at;
    pen.word(WORD.reward);
    if (this.#options.reward_from_score_diff) pen.again(start, end);
    else pen.copy(view, chosen.score_start, chosen.score_end);
    pen.word(WORD.chosen_index);
    pen.count(chosen.candidate_index);
    pen.word(WORD.rejected_index);
    pen.count(rejected.candidate_index);
  }

  /** From the model to the end of the line. */
  #writeOrigin(chosen: PlainCandidate, rejected: PlainCandidate): void {
    const pen = this.#pen;
    const isSameModel = this.#isSameModel(chosen, rejected);
    pen.word(WORD.model);
    if (isSameModel) this.#writeModel(chosen);
    else pen.word(WORD.null);
    pen.word(this.#origins[this.#side]);
    const start = pen.at;
    this.#writeSeed(start, WORD.chosen_seed, chosen);
    this.#writeSeed(start, WORD.rejected_seed, rejected);
    if (!isSameModel) {
      this.#writeName(start, WORD.chosen_model);
      this.#writeModel(chosen);
      this.#writeName(start, WORD.rejected_model);
      this.#writeModel(rejected);
    }
    if (rejected.is_truncated) this.#writeName(start, WORD.rejected_truncated);
    pen.word(WORD.pair_end);
  }

  #writeSeed(start: number, name: Word, { seed_start, seed_end }: PlainCandidate): void {
    if (seed_start === NOTHING) return;
    this.#writeName(start, name);
    this.#pen.copy(this.#reader.view, seed_start, seed_end);
  }

  /** The name of a member of the object whose members begin at `start`. */
  #writeName(start: number, name: Word): void {
    if (this.#pen.at > start) this.#pen.word(WORD.comma);
    this.#pen.word(name);
  }

  #writeModel({ model_start, model_end }: PlainCandidate): void {
    if (model_start < 0) this.#pen.word(WORD.null);
    else this.#pen.copy(this.#reader.view, model_start, model_end);
  }

  #isSameModel(a: PlainCandidate, b: PlainCandidate): boolean {
    if (a.model_start < 0 || b.model_start < 0) return a.model_start === b.model_start;
    return sameBytes(this.#reader.view, a.model_start, a.model_end, b.model_start, b.model_end);
  }

  /** Writes the pair's row, and says how long it is. */
  #addRow(chosen: PlainCandidate, rejected: PlainCandidate): number {
    const { view } = this.#reader;
    const out = this.#sink.rows(this.#side).raw;
    const start = out.length;
    const pen = this.#rowPens[this.#side];
    pen.open(out.reserve(this.#mostBytes(chosen, rejected)), start);
    if (this.#rowHead !== NOTHING) pen.again(this.#rowHead, this.#rowHeadEnd);
    else {
      this.#rowHead = start;
      pen.word(WORD.row_prompt);
      writeRowPrompt(pen, this.#turn, view, this.#options.use_full_message_history);
      pen.word(WORD.row_chosen);
      this.#rowHeadEnd = pen.at;
    }
    pen.copy(view, chosen.output_start, chosen.output_end);
    pen.word(WORD.row_rejected);
    pen.copy(view, rejected.output_start, rejected.output_end);
    pen.word(WORD.row_end);
    out.endAt(pen.at);
    return pen.at - start;
  }

  #hash(reply: Reply): void {
    if (!reply.isHashed) this.#hashes.reply(reply.hash, reply.candidate, this.#reader.view);
    reply.isHashed = true;
  }

  /** Neither the line nor the row of two candidates takes more. */
  #mostBytes(a: PlainCandidate, b: PlainCandidate): number {
    const replies = a.output_end - a.output_start + b.output_end - b.output_start;
    const models = Math.max(0, a.model_end - a.model_start) + Math.max(0, b.model_end - b.model_start);
    const id = this.#turn.id_end - this.#turn.id_start;
    return this.#run.length + id + promptBytes(this.#turn) + replies + 2 * models + FIXED_BYTES + PEN_SLACK;
  }
}
