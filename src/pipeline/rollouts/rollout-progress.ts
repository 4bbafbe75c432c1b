/** How far rollouts have come on their way to pairs. Unpacking, where it is needed, comes before reading, reading before writing. */
export interface RolloutProgress {
  stage: "unpack" | "read" | "write";
  /** That were read in this stage, as they lie on disk. */
  bytes: number;
  /** Undefined where nobody can know it, as of what comes through a pipe. */
  total_bytes: number | undefined;
  /** Lines that were read. */
  rows: number;
  /** Pairs that were written, and those that were chosen to be. */
  pairs: number;
  total_pairs: number;
}

export const NOTHING: Omit<RolloutProgress, "stage"> = {
  bytes: 0,
  total_bytes: undefined,
  rows: 0,
  pairs: 0,
  total_pairs: 0,
};

/** Takes a progress as often as there is one: every megabyte that is read, and every few hundred pairs. */
export type OnRolloutProgress = (progress: RolloutProgress) => void;
