import type { Wanted } from "../lib/json-pick.ts";
import type { CandidateRecord, TurnRecord } from "../records/candidate.ts";
import type { Message, Tool } from "../records/message.ts";
import type { PreferencePair, UnsplitPair } from "../records/pair.ts";
import type { BrokenRollout, RolloutRecord } from "../records/rollout.ts";
import type { TrainingBackend } from "./training-backend.ts";

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
  /**
   * The reply of a group that supervised fine-tuning is to learn, `undefined` when none is fit for it. Absent: this
   * builder makes pairs alone.
   */
  bestOf?(turn: TurnRecord): CandidateRecord | undefined;
}

/** Reason -> how many. */
export type SkipCounts = Record<string, number>;

/** How much to collect, what to leave out of the data set, and whether to wait for the training. */
export interface Trainer {
  readonly collection: {
    num_runs: number;
    continue_on_collection_error: boolean;
    deduplicate_pairs: boolean;
    /** null is all of them. */
    max_pairs: number | null;
  };
  /** False: the job is submitted, and another command may wait for it. Absent is true. */
  readonly wait_for_completion?: boolean;
}

/** Which rows a backend takes, and the backend itself. */
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
  /** Absent: it writes data sets, and trains nothing. Called when there is something to train, and not before. */
  connect?(): TrainingBackend;
}

/** Reads other agents' records. One row may hold several rollouts; a row of another kind is no rollout and no error. */
export interface RolloutReader {
  /** Whether these first rows look like its own. */
  recognises(rows: readonly unknown[]): boolean;
  rollouts(row: unknown): RolloutRecord[] | BrokenRollout;
  /**
   * What `rollouts` looks at of a row that asks one text and says one, these texts `raw`: then most of the row is passed
   * over. `rollouts` must not look into them, nor change what it is given. Absent: rows are read as a whole.
   */
  readonly plain?: Wanted;
}

/** How a format is to write its rows. */
export interface FormatOptions {
  use_full_message_history: boolean;
}

/** A preference as a row of some format holds it: what the row does not say is absent. */
export type ReadPair = Pick<PreferencePair, "prompt" | "chosen" | "rejected"> & Partial<PreferencePair>;

/** What supervised fine-tuning learns: a reply to a prompt. */
export interface Completion {
  prompt: Message[];
  completion: Message[];
  tools?: Tool[] | undefined;
}

/** Writes pairs as rows of one training tool's format, and reads such rows. */
export interface DatasetFormat {
  /** What no row of this format holds, whatever the pair: `scores`, `provenance`, `history`… */
  readonly never_holds?: readonly string[];
  /** Whether rows hold where a pair comes from, with its `pair_id`: making that takes time. */
  readonly holds_provenance?: boolean;
  /** Whether `row` hands texts on whole and does not look into them: then short ones may stand for them. */
  readonly keeps_texts?: boolean;
  /** The prompt as a row holds it: pairs whose written prompts are equal stay on one side of the split. */
  prompt(pair: ReadPair, options: FormatOptions): unknown;
  /** The row, and the names of what it could not hold; `row` is null when the pair cannot be written at all. */
  row(pair: ReadPair, options: FormatOptions): { row: Record<string, unknown> | null; lost: string[] };
  /** The same for a row of supervised fine-tuning. Absent: the format has no such rows. */
  completionRow?(completion: Completion, options: FormatOptions): ReturnType<DatasetFormat["row"]>;
  /** The pair that a row of this format holds; `undefined` when it is a row of another format. Absent: not read. */
  read?(row: unknown): ReadPair | BrokenRollout | undefined;
}
