import type { TurnRecord } from "../records/candidate.ts";
import type { RunRecord } from "../records/run.ts";
import type { SkipCounts } from "../registry/training.ts";

/** What runs hold for pairing, counted while they pass. */
export class PairYield {
  readonly skipped: SkipCounts = {};
  runs = 0;
  turns = 0;
  candidates = 0;
  off_policy_candidates = 0;
  /** Turns of at least two scored candidates whose scores are all equal: nothing can be learned from them. */
  turns_without_signal = 0;
  #runTokens = 0;
  #candidateTokens = 0;

  /** All tokens of the runs; those of the candidates alone when the runs counted none. */
  get tokens(): number {
    return this.#runTokens > 0 ? this.#runTokens : this.#candidateTokens;
  }

  add(run: RunRecord, turns: readonly TurnRecord[]): void {
    this.runs += 1;
    this.turns += turns.length;
    const total: unknown = run.usage?.total_tokens;
    if (typeof total === "number" && total > 0) this.#runTokens += total;
    for (const { candidates } of turns) {
      this.candidates += candidates.length;
      let scored = 0;
      let first: number | null = null;
      let differ = false;
      for (const { score, model, tokens } of candidates) {
        if (model === null) this.off_policy_candidates += 1;
        this.#candidateTokens += tokens ?? 0;
        if (score === null) continue;
        scored += 1;
        first ??= score;
        if (score !== first) differ = true;
      }
      if (scored > 1 && !differ) this.turns_without_signal += 1;
    }
  }
}
