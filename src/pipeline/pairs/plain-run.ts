import { isUtf8 } from "node:buffer";
import { JsonCursor, NOT_EXPECTED } from "../../lib/json-cursor.ts";
import type { JsonForm } from "../../lib/json-form.ts";
import { NumberReader } from "../../lib/number-reader.ts";
import { isObject } from "../../records/messages-of.ts";
import { type CandidatePlaces, NOTHING, type StepKind, stepKindOf } from "./plain-step.ts";
import { PlainCandidate, PlainTurn, sameBytes } from "./plain-turn.ts";

/** So many kinds of steps are known; others that are no candidates are passed over. */
const MAX_KINDS = 64;
/** After so many runs that are not plain no more are tried. */
const MAX_MISSES = 64;
/** Each new turn is compared with all before it: with more of them another way is the faster one. */
const MAX_TURNS = 1000;
/** So many digits are added up exactly. */
const MAX_DIGITS = 15;
const NOT_A_COUNT = -1;

const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const MINUS = 0x2d;
const ZERO = 0x30;
const LENGTH = Buffer.from('"length"');

/** What a run says before its steps. */
export interface PlainHead {
  example_id: string;
  rep: number;
  run_index: number;
  seed: number;
  group: string | undefined;
  /** 0 when nobody counted. */
  total_tokens: number;
}
const HEAD_FIELDS: ReadonlySet<string> = new Set(["example_id", "rep", "run_index", "seed", "group", "usage"]);

/**
 * Reads runs as nearly all are: the steps last, turns one after another, each of one prompt of plain messages and of
 * replies of one text, no tools, and all written as `JSON.stringify` writes it. Such a run gives the turns that
 * `turnsOf` gives; no text of them is made, for candidates say where theirs stand.
 */
export class PlainRunReader {
  readonly #step_name: string;
  readonly #cursor = new JsonCursor();
  readonly #numbers = new NumberReader();
  readonly #kinds: StepKind[] = [];
  /** The kind of the last run's first step. */
  #first: StepKind | undefined;
  #misses = 0;
  #candidateCount = 0;
  /** What was read last: its line, the same to be read several bytes at a time, and what is in it. */
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = this.#cursor.view;
  head: PlainHead = { example_id: "", rep: 0, run_index: 0, seed: 0, group: undefined, total_tokens: 0 };
  readonly candidates: PlainCandidate[] = [];
  readonly turns: PlainTurn[] = [];
  /** How many of `turns` are of this run; the others are kept for runs to come. */
  turnCount = 0;

  constructor(step_name: string) {
    this.#step_name = step_name;
  }

  /** Whether the line is such a run; what is known of it is good until the next one is read. */
  read(line: Buffer): boolean {
    if (this.#misses > MAX_MISSES) return false;
    const isPlain = isUtf8(line) && this.#read(line);
    this.#misses = isPlain ? 0 : this.#misses + 1;
    return isPlain;
  }

  #read(line: Buffer): boolean {
    const cursor = this.#cursor;
    cursor.open(line);
    this.bytes = line;
    this.view = cursor.view;
    this.turnCount = 0;
    this.#candidateCount = 0;
    try {
      if (!this.#readHead() || !this.#readSteps()) return false;
      return line[cursor.at] === CLOSE_OBJECT && cursor.at + 1 === line.length;
    } catch (error) {
      if (error === NOT_EXPECTED) return false;
      throw error;
    }
  }

  /** Goes to the steps. */
  #readHead(): boolean {
    const cursor = this.#cursor;
    const { bytes } = cursor;
    const fields: Record<string, unknown> = {};
    if (bytes[0] !== OPEN_OBJECT || cursor.opens("object")) return false;
    do {
      const start = cursor.at + 1;
      if (cursor.name()) return false;
      const name = bytes.toString("latin1", start, cursor.at - 2);
      cursor.space();
      if (name === "steps") {
        const head = headOf(fields);
        if (head !== undefined) this.head = head;
        return head !== undefined;
      }
      const from = cursor.at;
      cursor.skip();
      if (HEAD_FIELDS.has(name)) fields[name] = JSON.parse(bytes.toString("utf8", from, cursor.at));
    } while (!cursor.closes("object"));
    return false;
  }

  #readSteps(): boolean {
    const cursor = this.#cursor;
    if (cursor.kind !== "list") return false;
    if (cursor.opens("list")) return true;
    let before: StepKind | undefined;
    do {
      const kind = this.#readStep(before);
      if (kind === undefined) return false;
      if (kind.candidate !== undefined && !this.#add(kind.form, kind.candidate)) return false;
      before = kind;
    } while (!cursor.closes("list"));
    return true;
  }

  /** Goes over a step; `undefined` when it is a candidate that is not plain. */
  #readStep(before: StepKind | undefined): StepKind | undefined {
    const cursor = this.#cursor;
    const start = cursor.at;
    const has = (kind: StepKind) => {
      cursor.at = start;
      return kind.form.reads(cursor);
    };
    const expected = before === undefined ? this.#first : before.next;
    if (expected !== undefined && has(expected)) return expected;
    let kind = this.#kinds.find(has);
    if (kind === undefined) {
      cursor.at = start;
      cursor.skip();
      kind = stepKindOf(cursor.bytes.subarray(start, cursor.at), this.#step_name);
      if (kind === undefined) return undefined;
      if (this.#kinds.length >= MAX_KINDS) return kind.candidate === undefined ? kind : undefined;
      this.#kinds.push(kind);
      // It finds the values now.
      if (!has(kind)) return undefined;
    }
    if (before === undefined) this.#first = kind;
    else before.next = kind;
    return kind;
  }

  /** Takes a candidate; false when it is not plain. */
  #add(form: JsonForm, places: CandidatePlaces): boolean {
    const place = this.#candidateCount;
    let candidate = this.candidates[place];
    if (candidate === undefined) {
      candidate = new PlainCandidate();
      this.candidates.push(candidate);
    }
    this.#candidateCount += 1;
    return this.#fill(candidate, form, places) && this.#join(candidate, place, form, places);
  }

  #fill(candidate: PlainCandidate, form: JsonForm, places: CandidatePlaces): boolean {
    const { starts, ends, isOdd } = form;
    const { output, score, seed, model, finish_reason, tokens } = places;
    const { bytes } = this;
    if (isOddAt(isOdd, output) || isOddAt(isOdd, model) || isOddAt(isOdd, finish_reason)) return false;
    candidate.candidate_index = this.#count(form, places.candidate_index);
    candidate.tokens = tokens === NOTHING ? 0 : this.#count(form, tokens);
    if (candidate.candidate_index === NOT_A_COUNT || candidate.tokens === NOT_A_COUNT) return false;
    candidate.output_start = output < 0 ? output : (starts[output] ?? 0);
    candidate.output_end = output < 0 ? output : (ends[output] ?? 0);
    candidate.model_start = model < 0 ? model : (starts[model] ?? 0);
    candidate.model_end = model < 0 ? model : (ends[model] ?? 0);
    candidate.seed_start = seed < 0 ? seed : (starts[seed] ?? 0);
    candidate.seed_end = seed < 0 ? seed : (ends[seed] ?? 0);
    if (seed >= 0 && !isShortInteger(bytes, candidate.seed_start, candidate.seed_end)) return false;
    candidate.is_truncated =
      finish_reason >= 0 && isLength(bytes, starts[finish_reason] ?? 0, ends[finish_reason] ?? 0);
    candidate.score = Number.NaN;
    if (score < 0) return true;
    candidate.score_start = starts[score] ?? 0;
    candidate.score_end = ends[score] ?? 0;
    candidate.score = this.#numbers.read(bytes, candidate.score_start, candidate.score_end);
    return this.#numbers.isPlain;
  }

  /** Puts a candidate into its turn: the last one, or the next. */
  #join(candidate: PlainCandidate, place: number, form: JsonForm, places: CandidatePlaces): boolean {
    const { view } = this;
    const start = form.starts[places.turn_id] ?? 0;
    const end = form.ends[places.turn_id] ?? 0;
    for (let number = this.turnCount - 1; number >= 0; number -= 1) {
      const turn = this.turns[number] as PlainTurn;
      if (!sameBytes(view, start, end, turn.id_start, turn.id_end)) continue;
      const before = this.candidates[place - 1];
      if (number !== this.turnCount - 1 || before === undefined) return false;
      turn.end = place + 1;
      return before.candidate_index < candidate.candidate_index && this.#hasPrompt(turn, form, places);
    }
    return this.#begin(place, form, places);
  }

  #hasPrompt(turn: PlainTurn, { starts, ends }: JsonForm, { roles, prompt }: CandidatePlaces): boolean {
    if (roles !== turn.roles && roles.join() !== turn.roles.join()) return false;
    for (let message = 0; message < prompt.length; message += 1) {
      const content = prompt[message] ?? 0;
      const [from, to] = [turn.starts[message] ?? 0, turn.ends[message] ?? 0];
      if (!sameBytes(this.view, starts[content] ?? 0, ends[content] ?? 0, from, to)) return false;
    }
    return true;
  }

  /** The next turn, with its first candidate. */
  #begin(place: number, form: JsonForm, { turn_id, turn_index, roles, prompt }: CandidatePlaces): boolean {
    if (this.turnCount === MAX_TURNS) return false;
    const { starts, ends, isOdd } = form;
    let turn = this.turns[this.turnCount];
    if (turn === undefined) {
      turn = new PlainTurn();
      this.turns.push(turn);
    }
    turn.turn_index = this.#count(form, turn_index);
    turn.id_start = starts[turn_id] ?? 0;
    turn.id_end = ends[turn_id] ?? 0;
    turn.roles = roles;
    turn.starts.length = 0;
    turn.ends.length = 0;
    turn.first = place;
    turn.end = place + 1;
    for (const content of prompt) {
      if (isOdd[content] === 1) return false;
      turn.starts.push(starts[content] ?? 0);
      turn.ends.push(ends[content] ?? 0);
    }
    const before = this.turnCount === 0 ? 0 : (this.turns[this.turnCount - 1]?.turn_index ?? 0);
    this.turnCount += 1;
    // An empty id names no turn.
    return isOdd[turn_id] === 0 && turn.id_end - turn.id_start > 2 && turn.turn_index >= before;
  }

  /** A number that counts something, or `NOT_A_COUNT`. */
  #count({ starts, ends }: JsonForm, place: number): number {
    const start = starts[place] ?? 0;
    const end = ends[place] ?? 0;
    if (end - start > MAX_DIGITS) return NOT_A_COUNT;
    let value = 0;
    for (let at = start; at < end; at += 1) {
      const digit = (this.bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) return NOT_A_COUNT;
      value = value * 10 + digit;
    }
    return value;
  }
}

function headOf({ example_id, rep, run_index, seed, group, usage }: Record<string, unknown>): PlainHead | undefined {
  if (typeof example_id !== "string" || !isCount(rep) || !isCount(run_index) || !Number.isSafeInteger(seed)) {
    return undefined;
  }
  if (group !== undefined && typeof group !== "string") return undefined;
  const total = isObject(usage) ? usage.total_tokens : undefined;
  const total_tokens = typeof total === "number" && total > 0 ? total : 0;
  return { example_id, rep, run_index, seed: seed as number, group, total_tokens };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Whether a text that may be missing is there and written in an odd way. */
function isOddAt(isOdd: Uint8Array, place: number): boolean {
  return place >= 0 && isOdd[place] === 1;
}

/** Whether a text is the reason of a reply that was cut off. */
function isLength(bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== LENGTH.length) return false;
  for (let place = 0; place < LENGTH.length; place += 1) if (bytes[start + place] !== LENGTH[place]) return false;
  return true;
}

/** Whether a number is an integer that JavaScript writes just so. */
function isShortInteger(bytes: Buffer, start: number, end: number): boolean {
  const whole = bytes[start] === MINUS ? start + 1 : start;
  if (end - start > MAX_DIGITS || (whole > start && bytes[whole] === ZERO)) return false;
  for (let at = whole; at < end; at += 1) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return false;
  }
  return true;
}
