import type { SplitOptions } from "../datasets/split.ts";
import type { DatasetShape } from "../registry/dataset.ts";
import type { Evaluator } from "../registry/evaluator.ts";
import type { DatasetFormat, TrajectoryBuilder } from "../registry/training.ts";
import type { Example, WorkflowFunction } from "../registry/workflow.ts";

/** Everything a run needs, alive: what is left of a configuration once it is assembled. */
export interface Parts {
  workflow: { name: string; run: WorkflowFunction };
  /** The data set, in order; may be read more than once. */
  examples(): AsyncIterable<Example>;
  /** SHA-256 by name of what went in: configuration, data set, plugins. */
  inputs(): Promise<Record<string, string>>;
  evaluators: Record<string, Evaluator>;
  /** What the fields of a row mean. */
  shape: DatasetShape;
  pairs: PairParts;
  max_concurrency: number;
  output_dir: string;
  /** The configuration as it was used, secrets redacted, and as it was written; absent without a file. */
  config?: { effective: Record<string, unknown>; original: string; file: string };
  /** Values that must not reach a file or a log. */
  secrets: readonly string[];
  /** Whether every model's price is known, so that a cost can be told. */
  knows_cost: boolean;
  close(): Promise<void>;
}

/** What pairs are made with. */
export interface PairParts {
  builder: TrajectoryBuilder;
  deduplicate_pairs: boolean;
  max_pairs: number | null;
  format: DatasetFormat;
  format_name: string;
  /** The prompt of a row as messages, not as the last one's text. */
  use_full_message_history: boolean;
  /** `group_key` is the field of a data-set row that holds its group. */
  split: SplitOptions & { group_key?: string | undefined };
  /** What the data-set files are for: a row a pair, or a row a turn. */
  training_type: "dpo" | "sft";
  /** A further folder that gets the data-set files. */
  dataset_output_dir: string | null;
}
