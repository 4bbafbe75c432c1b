import type { Parts } from "./parts.ts";
import { findRuns } from "./run-folder.ts";

/** What a run would do, with no model called. */
export interface Estimate {
  /** Examples times repetitions, of this shard. */
  examples: number;
  /** From the newest run in the output folder; null when there is none to judge by. */
  estimated: { from_run: string; llm_calls: number; total_tokens: number; cost: number | null; seconds: number } | null;
}

/**
 * Counts the examples, and scales what the newest run of the same output folder took to that many. Where no run has
 * been made yet, nothing is known of calls and tokens, and that is what it says.
 */
export async function estimate(
  parts: Parts,
  { reps, shard }: { reps: number; shard: { index: number; of: number } | undefined },
): Promise<Estimate> {
  let examples = 0;
  for await (const { index } of parts.examples()) {
    if (!shard || index % shard.of === shard.index - 1) examples += reps;
  }
  for (const manifest of await findRuns(parts.output_dir)) {
    const { usage, got, started_at, finished_at, run_id } = manifest;
    const ended = got.completed + got.failed;
    if (!usage || ended === 0 || finished_at === undefined) continue;
    const scale = examples / ended;
    return {
      examples,
      estimated: {
        from_run: run_id,
        llm_calls: Math.round(usage.llm_calls * scale),
        total_tokens: Math.round(usage.total_tokens * scale),
        cost: usage.cost === undefined ? null : usage.cost * scale,
        seconds: ((Date.parse(finished_at) - Date.parse(started_at)) / 1000) * scale,
      },
    };
  }
  return { examples, estimated: null };
}
