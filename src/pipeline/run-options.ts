import type { Logger } from "../lib/log.ts";
import type { Progress } from "./play-examples.ts";

/** What the person who starts a run may say about it. */
export interface RunOptions {
  command: string;
  version: string;
  seed: number;
  reps: number;
  run_index?: number;
  /** True: the newest unfinished run; a text: that run. */
  resume?: boolean | string;
  shard?: { index: number; of: number } | undefined;
  policy_only?: boolean;
  max_cost?: number | undefined;
  max_failures?: number | undefined;
  /** Score what the data set holds; run nothing. */
  skip_workflow?: boolean;
  skip_completed_entries?: boolean;
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
