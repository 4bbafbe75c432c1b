import type { RunRecord } from "../records/run.ts";
import type { Example } from "./workflow.ts";

/** What an evaluator says of one run. */
export interface Evaluation {
  /** `null` is not scored: it counts in no mean. */
  score: number | null;
  /** Anything that explains it, as JSON. */
  reasoning?: unknown;
  /** Further figures of this run, by name; each becomes a mean with n and an interval. */
  metrics?: Record<string, number | null>;
}

/** Judges finished runs, one at a time. A throw is that run's error, never a score of zero. */
export interface Evaluator {
  /** Its figures that lie between 0 and 1 whatever the run, by name, `score` among them: the intervals of their means do so, too. */
  readonly shares?: readonly string[];
  evaluate(
    run: RunRecord,
    context: { example: Example | undefined; signal: AbortSignal },
  ): Evaluation | Promise<Evaluation>;
}
