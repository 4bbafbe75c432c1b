import type { CandidateRecord, TurnRecord } from "../records/candidate.ts";
import type { UnsplitPair } from "../records/pair.ts";

/** Which candidates of a turn to pair, and which pairs to leave out. */
export interface TrajectoryBuilder {
  /** Which intermediate steps are candidates: those of this name. */
  readonly step_name: string;
  /** Over what candidates are grouped before they pair: a turn of a run, or equal prompts of a whole run folder. */
  readonly group_by: "turn" | "prompt";
  /** What becomes of a prompt's pairs that say A over B here and B over A there. */
  readonly contradictions: "drop" | "keep";
  /** The pairs of one group, in a fixed order; whatever is left out is counted in `skipped` by reason. */
  pairsOf(turn: TurnRecord, skipped: SkipCounts): UnsplitPair[];
}

/** Reason -> how many. */
export type SkipCounts = Record<string, number>;

/** A trainer, as far as collecting needs to know it: how much to collect, and what to leave out of the data set. */
export interface Trainer {
  readonly collection: {
    num_runs: number;
    continue_on_collection_error: boolean;
    deduplicate_pairs: boolean;
    /** null is all of them. */
    max_pairs: number | null;
  };
}

/** A trainer adapter, as far as collecting needs to know it: which rows its backend takes. */
export interface TrainerAdapter {
  readonly dataset: {
    /** The name of a registered format. */
    format: string;
    /** The prompt as a list of messages, not as its last message's text. */
    use_full_message_history: boolean;
    training_type: "dpo" | "sft";
    /** A folder that gets a copy of the data-set files, or null. */
    dataset_output_dir: string | null;
  };
}

/** Reads other agents' records as candidates. */
export interface RolloutReader {
  /** Whether these first rows look like its own. */
  recognises(rows: readonly unknown[]): boolean;
  candidates(row: unknown): CandidateRecord[];
}

/** How a format is to write its rows. */
export interface FormatOptions {
  use_full_message_history: boolean;
}

/** Writes pairs as rows of one training tool's format. */
export interface DatasetFormat {
  /** The prompt as a row holds it: pairs whose written prompts are equal stay on one side of the split. */
  prompt(pair: UnsplitPair, options: FormatOptions): unknown;
  /** The row, and the names of what it could not hold; `row` is null when the pair cannot be written at all. */
  row(pair: UnsplitPair, options: FormatOptions): { row: Record<string, unknown> | null; lost: string[] };
}
