import { Column } from "../lib/column.ts";
import { sha256 } from "../lib/hash.ts";
import { type Key, KeyTable, keyOfHex } from "../lib/key-table.ts";
import { type LintRow, lintRowOf } from "./lint-row.ts";

/** What counts as a fault, where that is a matter of degree. */
export interface LintOptions {
  /** Characters of a prompt and a reply together above which a row is over-long. */
  max_characters?: number;
  /** Share of the rows above which one example dominates. */
  max_example_share?: number;
  /** Correlation of length and preference, either way, above which there is a length bias. */
  max_length_correlation?: number;
  /** Findings listed of each kind; all are counted. */
  max_findings?: number;
}

export const LINT_DEFAULTS = {
  max_characters: 32_000,
  max_example_share: 0.2,
  max_length_correlation: 0.3,
  max_findings: 20,
} as const satisfies Required<LintOptions>;

/** What is found, and how bad it is: an error spoils training or its measurement, a warning is to be known. */
const LEVELS = {
  broken_row: "error",
  tie: "error",
  reversed_scores: "error",
  equal_text: "error",
  empty: "error",
  answer_in_prompt: "error",
  contradiction: "error",
  split_overlap: "error",
  duplicate: "warning",
  over_long: "warning",
  length_bias: "warning",
  dominating_example: "warning",
} as const;
export type FaultKind = keyof typeof LEVELS;

export interface Finding {
  kind: FaultKind;
  level: "error" | "warning";
  /** From 1; null for what concerns all rows. */
  line: number | null;
  file?: string;
  message: string;
}

export interface LintReport {
  rows: number;
  /** How often each kind was found. */
  faults: Record<string, number>;
  /** The first ones of each kind. Messages hold no text of the data set. */
  findings: Finding[];
  /**
   * Pearson correlation of length difference and preference, each pair counted both ways round (chosen over rejected
   * as +1, rejected over chosen as -1): 1 when the longer reply always wins by as much, 0 when length says nothing.
   * null when all lengths are equal.
   */
  length_correlation: number | null;
}

/** A row where it stands. `side` is that of its file; a row's own `split` goes before it. */
export interface RowToLint {
  value: unknown;
  /** What is wrong with the row, where that is known already. */
  problem?: string;
  line: number;
  file?: string;
  side?: "training" | "validation";
}

/** What of a row its faults are found by: equal keys stand for equal texts. */
export interface LintFacts extends Omit<LintRow, "prompt" | "question" | "chosen" | "rejected" | "example"> {
  prompt: Key;
  question: Key;
  chosen: Key;
  rejected: Key;
  example: Key;
}

/** Where a row stands. */
type RowPlace = Omit<RowToLint, "value" | "problem">;

/** Below so many rows, shares and correlations are chance. */
const ENOUGH_ROWS = 10;

/**
 * Looks for the faults of a preference data set: rows that teach nothing or the wrong thing, rows that contradict or
 * repeat each other, and prompts that stand in training and in validation. All rows given are one data set. Memory:
 * about 60 bytes a row, whatever its length.
 */
export async function lintPairs(rows: AsyncIterable<RowToLint>, options: LintOptions = {}): Promise<LintReport> {
  const survey = new LintSurvey(options);
  for await (const row of rows) survey.add(row);
  return survey.report();
}

const FORWARD = 1;
const BACKWARD = 2;

/** Rows of one data set, looked at one after another. */
export class LintSurvey {
  readonly #options: Required<LintOptions>;
  readonly #faults: Record<string, number> = {};
  readonly #findings: Finding[] = [];
  readonly #couples = new KeyTable();
  readonly #directions = Column.uint8();
  readonly #coupleLine = Column.uint32();
  readonly #prompts = new KeyTable();
  readonly #promptSides = Column.uint8();
  readonly #examples = new KeyTable();
  readonly #exampleRows = Column.uint32();
  readonly #exampleLine = Column.uint32();
  #rows = 0;
  #read = 0;
  #differences = 0;
  #squares = 0;

  constructor(options: LintOptions = {}) {
    this.#options = { ...LINT_DEFAULTS, ...options };
  }

  /** Takes a row as it stands in its file. */
  add(at: RowToLint): void {
    const row =
      at.problem !== undefined
        ? { problem: at.problem }
        : lintRowOf(at.value, at.file === undefined ? `line ${at.line}` : `${at.file}:${at.line}`);
    if ("problem" in row) {
      this.#rows += 1;
      this.#find("broken_row", at, row.problem);
      return;
    }
    const prompt = keyOf(row.prompt);
    this.addFacts(
      {
        ...row,
        prompt,
        question: row.question === row.prompt ? prompt : keyOf(row.question),
        chosen: keyOf(row.chosen),
        rejected: keyOf(row.rejected),
        example: row.example === row.prompt ? prompt : keyOf(row.example),
      },
      at,
    );
  }

  /** Takes a row of which the facts are known. */
  addFacts(row: LintFacts, at: RowPlace): void {
    this.#rows += 1;
    this.#read += 1;
    this.#lookAtRow(row, at);
    this.#lookAtCouple(row, at);
    this.#lookAtSide(row.side ?? at.side, row.prompt, at);
    const example = this.#examples.add(row.example.hi, row.example.lo);
    const before = this.#exampleRows.get(example);
    this.#exampleRows.set(example, before + 1);
    if (before === 0) this.#exampleLine.set(example, at.line);
    const difference = row.lengths.chosen - row.lengths.rejected;
    this.#differences += difference;
    this.#squares += difference ** 2;
  }

  report(): LintReport {
    const rows = this.#read;
    const length_correlation = this.#squares === 0 ? null : this.#differences / Math.sqrt(rows * this.#squares);
    const limit = this.#options.max_length_correlation;
    if (length_correlation !== null && rows >= ENOUGH_ROWS && Math.abs(length_correlation) > limit) {
      const longer = length_correlation > 0 ? "longer" : "shorter";
      const figure = length_correlation.toFixed(2);
      this.#find(
        "length_bias",
        undefined,
        `the ${longer} reply tends to be chosen: correlation ${figure} over ${rows} rows`,
      );
    }
    for (let example = 0; rows >= ENOUGH_ROWS && example < this.#examples.size; example += 1) {
      const share = this.#exampleRows.get(example) / rows;
      if (share <= this.#options.max_example_share) continue;
      const line = this.#exampleLine.get(example);
      const percent = (share * 100).toFixed(0);
      this.#find(
        "dominating_example",
        undefined,
        `${percent} % of all rows come of one example, first on line ${line}`,
      );
    }
    return { rows: this.#rows, faults: this.#faults, findings: this.#findings, length_correlation };
  }

  #lookAtRow(row: LintFacts, at: RowPlace): void {
    const { chosen_score: chosen, rejected_score: rejected, lengths } = row;
    if (chosen !== undefined && rejected !== undefined) {
      if (chosen === rejected) this.#find("tie", at, "both replies have the same score");
      else if (chosen < rejected) this.#find("reversed_scores", at, "the rejected reply has the higher score");
    }
    if (isSame(row.chosen, row.rejected)) this.#find("equal_text", at, "chosen and rejected are the same");
    if (row.empty.length > 0) this.#find("empty", at, `nothing stands in ${row.empty.join(" and ")}`);
    if (row.answer_in_prompt) this.#find("answer_in_prompt", at, "the prompt ends with the chosen answer");
    const characters = lengths.prompt + Math.max(lengths.chosen, lengths.rejected);
    if (characters > this.#options.max_characters) {
      const limit = this.#options.max_characters;
      this.#find("over_long", at, `${characters} characters of prompt and reply, over ${limit}`);
    }
  }

  #lookAtCouple({ question, chosen, rejected }: LintFacts, at: RowPlace): void {
    if (isSame(chosen, rejected)) return;
    // Sums, so that the two replies give the same key in either order.
    const hi = Math.imul(question.hi, 0x9e3779b1) + chosen.hi + rejected.hi;
    const lo = Math.imul(question.lo, 0x85ebca6b) + chosen.lo + rejected.lo;
    const couple = this.#couples.add(hi, lo);
    const known = this.#directions.get(couple);
    const isForward = chosen.hi !== rejected.hi ? chosen.hi > rejected.hi : chosen.lo > rejected.lo;
    const direction = isForward ? FORWARD : BACKWARD;
    const line = this.#coupleLine.get(couple);
    if ((known & direction) !== 0)
      this.#find("duplicate", at, `the same pair stood before, on line ${line} or after it`);
    else if (known !== 0) this.#find("contradiction", at, `prefers the reply that line ${line} rejects`);
    if (known === 0) this.#coupleLine.set(couple, at.line);
    this.#directions.set(couple, known | direction);
  }

  #lookAtSide(side: LintRow["side"], { hi, lo }: Key, at: RowPlace): void {
    if (side === undefined) return;
    const prompt = this.#prompts.add(hi, lo);
    const known = this.#promptSides.get(prompt);
    const now = known | (side === "training" ? 1 : 2);
    // Said once of each prompt: when its second side is seen.
    if (known !== 0 && known !== 3 && now === 3) {
      this.#find("split_overlap", at, "this prompt stands in training and in validation");
    }
    this.#promptSides.set(prompt, now);
  }

  #find(kind: FaultKind, at: RowPlace | undefined, message: string): void {
    const times = (this.#faults[kind] ?? 0) + 1;
    this.#faults[kind] = times;
    if (times > this.#options.max_findings) return;
    const file = at?.file === undefined ? {} : { file: at.file };
    this.#findings.push({ kind, level: LEVELS[kind], line: at?.line ?? null, ...file, message });
  }
}

function keyOf(text: string): Key {
  return keyOfHex(sha256(text));
}

function isSame(a: Key, b: Key): boolean {
  return a.hi === b.hi && a.lo === b.lo;
}
