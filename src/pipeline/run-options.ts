import type { Logger } from "../lib/log.ts";
import type { RunManifest } from "../records/manifest.ts";
import type { Curriculum } from "./loop/curriculum.ts";
import type { Progress } from "./play-examples.ts";
import type { RunFolder } from "./run-folder.ts";

/** One of several runs of the whole data set into one folder. */
export interface RunOfDataset {
  folder: RunFolder;
  run_index: number;
  /** Of this run, whichever process played them. */
  completed: number;
  failed: number;
  /** Why examples failed: error code -> how many. */
  errors: Record<string, number>;
  /** How many were played just now. */
  played: number;
}

/** What the person who starts a run may say about it. */
export interface RunOptions {
  command: string;
  version: string;
  seed: number;
  reps: number;
  /** How many times the whole data set is run, one after another; 1 unless told. */
  num_runs?: number;
  /** After a run of the data set in which more than `max_failures` examples failed, go on with the next one. */
  continue_on_failures?: boolean;
  /** After each run of the data set; what it throws ends the command. */
  afterRun?: (run: RunOfDataset) => Promise<void>;
  /** True: the newest unfinished run; a text: that run. */
  resume?: boolean | string;
  shard?: { index: number; of: number } | undefined;
  policy_only?: boolean;
  max_cost?: number | undefined;
  max_failures?: number | undefined;
  /** Score what the data set holds; run nothing. */
  skip_workflow?: boolean;
  skip_completed_entries?: boolean;
  /** Folders of earlier runs whose candidates make pairs beside those of this run. */
  replay?: readonly string[] | undefined;
  /** Which of the examples are trained on, by what their candidates scored; all of them unless told. */
  curriculum?: Curriculum | undefined;
  /** These go into the manifest before anything is played. */
  round?: number | undefined;
  plan?: RunManifest["plan"];
  /** As typed, without anything secret; a run is not resumed with another. */
  endpoint?: string | undefined;
  result_json_path?: string | undefined;
  /** Takes the part to evaluate out of a workflow's result. */
  result_of?: (output: unknown) => unknown;
  drain: AbortSignal;
  stop: AbortSignal;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
  onTotal?: (total: number) => void;
  onProgress?: (progress: Progress) => void;
}
