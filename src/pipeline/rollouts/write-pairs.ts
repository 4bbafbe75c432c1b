import { randomBytes } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type BulkWriter, openBulkWriter } from "../../lib/bulk-writer.ts";
import { type LintReport, LintSurvey } from "../../preferences/lint.ts";
import type { SkipCounts } from "../../registry/training.ts";
import { ANSWER_IN_PROMPT, IN_VALIDATION, type MadeRows, ROW, ROW_WIDTH } from "./made-rows.ts";

/** What came of all rows. */
export interface WrittenPairs {
  training: number;
  validation: number;
  sha256: { training: string; validation: string };
  skipped: SkipCounts;
  lost_fields: Record<string, number>;
  /** Over both files; `null` without any row. */
  averages: { reward_gap: number; chosen_reward: number; rejected_reward: number } | null;
  lint: LintReport;
}

/** The files of pairs, being written under temporary names. */
export class PairFiles {
  readonly #paths: { training: string; validation: string | undefined };
  readonly #tag = randomBytes(4).toString("hex");
  readonly #lint = new LintSurvey();
  readonly #skipped: SkipCounts = {};
  readonly #lost: Record<string, number> = {};
  readonly #counts = { training: 0, validation: 0 };
  readonly #sums = { chosen: 0, rejected: 0, gap: 0 };
  #writers: { training: BulkWriter; validation: BulkWriter | undefined } | undefined;

  constructor(training: string, validation: string | undefined) {
    this.#paths = { training, validation };
  }

  async open(): Promise<void> {
    const { training, validation } = this.#paths;
    this.#writers = { training: await this.#open(training), validation: undefined };
    if (validation !== undefined) this.#writers.validation = await this.#open(validation);
  }

  async #open(path: string): Promise<BulkWriter> {
    await mkdir(dirname(path), { recursive: true });
    return openBulkWriter(this.#partial(path), { digest: true });
  }

  #partial(path: string): string {
    return `${path}.${this.#tag}.partial`;
  }

  /** Takes the next rows; a promise to wait for when the disk is behind. */
  add(made: MadeRows): Promise<void> | undefined {
    const writers = this.#writers;
    if (writers === undefined) throw new Error("the files must be opened first");
    writers.training.writeBytes(made.training);
    writers.validation?.writeBytes(made.validation);
    addCounts(this.#skipped, made.skipped);
    addCounts(this.#lost, made.lost);
    for (let row = 0; row < made.rows; row += 1) this.#look(made, row);
    return writers.training.pressure() ?? writers.validation?.pressure();
  }

  #look({ facts, scores }: MadeRows, row: number): void {
    const at = row * ROW_WIDTH;
    const fact = (name: keyof typeof ROW) => facts[at + ROW[name]] ?? 0;
    const key = (name: "question" | "chosen" | "rejected" | "example") => ({
      hi: fact(`${name}_hi`),
      lo: fact(`${name}_lo`),
    });
    const side = (fact("flags") & IN_VALIDATION) === 0 ? "training" : "validation";
    this.#counts[side] += 1;
    const chosen_score = scores[row * 2] ?? Number.NaN;
    const rejected_score = scores[row * 2 + 1] ?? Number.NaN;
    this.#sums.chosen += chosen_score;
    this.#sums.rejected += rejected_score;
    this.#sums.gap += chosen_score - rejected_score;
    const file = this.#paths[side];
    this.#lint.addFacts(
      {
        // Prompts under other tools count as others.
        prompt: key("question"),
        question: key("question"),
        chosen: key("chosen"),
        rejected: key("rejected"),
        example: key("example"),
        lengths: {
          prompt: fact("prompt_characters"),
          chosen: fact("chosen_characters"),
          rejected: fact("rejected_characters"),
        },
        empty: [],
        answer_in_prompt: (fact("flags") & ANSWER_IN_PROMPT) !== 0,
        chosen_score,
        rejected_score,
        side,
      },
      { line: this.#counts[side], ...(file !== undefined && { file }) },
    );
  }

  /** Puts the files in their places, each whole. Without any row there is no file. */
  async finish(): Promise<WrittenPairs> {
    const writers = this.#writers;
    if (writers === undefined) throw new Error("the files must be opened first");
    const training = await writers.training.close();
    const validation = await writers.validation?.close();
    this.#writers = undefined;
    const rows = this.#counts.training + this.#counts.validation;
    if (rows > 0) {
      for (const path of [this.#paths.validation, this.#paths.training]) {
        if (path !== undefined) await rename(this.#partial(path), path);
      }
    }
    const { chosen, rejected, gap } = this.#sums;
    return {
      ...this.#counts,
      sha256: { training: training.sha256 ?? "", validation: validation?.sha256 ?? "" },
      skipped: this.#skipped,
      lost_fields: this.#lost,
      averages:
        rows === 0 ? null : { reward_gap: gap / rows, chosen_reward: chosen / rows, rejected_reward: rejected / rows },
      lint: this.#lint.report(),
    };
  }

  /** Removes whatever is left under temporary names. */
  async discard(): Promise<void> {
    const { training, validation } = this.#writers ?? {};
    await Promise.allSettled([training?.close(), validation?.close()]);
    for (const path of [this.#paths.training, this.#paths.validation]) {
      if (path !== undefined) await rm(this.#partial(path), { force: true });
    }
  }
}

/** Adds counts to counts of the same names. */
export function addCounts(sum: Record<string, number>, more: Record<string, number>): void {
  for (const [name, times] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + times;
}
