import { setMaxListeners } from "node:events";
import type { LineAppender } from "../lib/append.ts";
import { forEachBounded } from "../lib/concurrency.ts";
import { EXIT, PairwrightError } from "../lib/errors.ts";
import { type PlayedRun, type RunRecord, runKey, runLine } from "../records/run.ts";
import { addUsage, noUsage, type Usage } from "../records/usage.ts";
import type { Example } from "../registry/workflow.ts";
import { diskError } from "./disk-error.ts";

/** How far a run has come; handed out after every example. */
export interface Progress {
  completed: number;
  failed: number;
  usage: Usage;
  /** What the last one came to. */
  last: Pick<RunRecord, "example_id" | "status" | "usage" | "error">;
}

export interface PlayOptions {
  /** The data set, in order; read once per repetition. */
  examples(): AsyncIterable<Example>;
  reps: number;
  run_index: number;
  shard: { index: number; of: number } | undefined;
  max_concurrency: number;
  /** Plays one repetition of one example, or gives the record that the data set already holds. */
  play(example: Example, rep: number): Promise<PlayedRun>;
  /** Keys of runs that ended well before (see `runKey`): they are left alone. */
  done: ReadonlySet<string>;
  log: LineAppender;
  /** Takes known secrets out of a line. */
  scrub(line: string): string;
  /** Stops quietly: what runs may end, nothing new begins. */
  drain: AbortSignal;
  /** Stops at once: what runs is thrown away. */
  stop: AbortSignal;
  /** Draws the line when more than this many examples failed. */
  max_failures: number | undefined;
  /** In US dollars, over all starts of the run. */
  max_cost: number | undefined;
  /** What earlier starts of the run have spent of it. */
  spent: number;
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Played {
  /** How many runs were asked for, those done before included; undefined when it stopped before all were counted. */
  asked: number;
  completed: number;
  failed: number;
  usage: Usage;
  /** Why examples failed: error code (of what lay behind it, where one thing did) -> how many. */
  errors: Record<string, number>;
  /** Why it ended early, if it did. */
  stopped: "drained" | "max_failures" | "max_cost" | undefined;
}

/** As many characters may wait for the disk before the players do. */
const MAX_WAITING = 1 << 20;

/**
 * Plays every example that is not done, at most `max_concurrency` at a time, each finished one on the disk before it
 * counts. One that fails is a failed record; only a disk that refuses ends the run with an error.
 */
export async function playExamples(options: PlayOptions): Promise<Played> {
  const { max_cost, max_failures, done, drain, stop } = options;
  const played: Played = { asked: 0, completed: 0, failed: 0, usage: noUsage(), errors: {}, stopped: undefined };
  let waiting = 0;
  let failures = 0;
  let cost = options.spent;
  const disk: { error?: unknown } = {};
  const writes = new Set<Promise<void>>();

  function shouldStop(): boolean {
    if (drain.aborted || stop.aborted) played.stopped ??= "drained";
    return played.stopped !== undefined || disk.error !== undefined;
  }

  /** Before the disk has it: what was paid is paid, and a slow disk must not let more begin. */
  function limit({ status, usage }: Progress["last"]): void {
    if (status === "failed") failures += 1;
    cost += usage.cost ?? 0;
    if (max_failures !== undefined && failures > max_failures) played.stopped ??= "max_failures";
    if (max_cost !== undefined && cost >= max_cost) played.stopped ??= "max_cost";
  }

  function count(record: Progress["last"]): void {
    played[record.status] += 1;
    if (record.error) {
      const code = record.error.cause ?? record.error.code;
      played.errors[code] = (played.errors[code] ?? 0) + 1;
    }
    addUsage(played.usage, record.usage);
    options.onProgress?.({ ...played, last: record });
  }

  async function playOne({ example, rep }: { example: Example; rep: number }): Promise<void> {
    let run: PlayedRun;
    try {
      run = await options.play(example, rep);
    } catch (error) {
      if (stop.aborted) return;
      throw error;
    }
    limit(run.head);
    const line = options.scrub(runLine(run));
    const { example_id, status, usage, error } = run.head;
    waiting += line.length;
    // Only these four and the line are held until the disk has it.
    const written = options.log.append(line).then(
      () => count({ example_id, status, usage, ...(error && { error }) }),
      (error: unknown) => {
        disk.error ??= error;
      },
    );
    writes.add(written);
    const settled = written.finally(() => {
      waiting -= line.length;
      writes.delete(written);
    });
    if (waiting >= MAX_WAITING) await settled;
  }

  async function* missing() {
    for (let rep = 0; rep < options.reps; rep += 1) {
      for await (const example of options.examples()) {
        if (options.shard && example.index % options.shard.of !== options.shard.index - 1) continue;
        played.asked += 1;
        const key = runKey({ example_id: example.id, rep, run_index: options.run_index });
        if (!done.has(key)) yield { example, rep };
      }
    }
  }

  // Each example under way listens to it.
  setMaxListeners(0, stop);
  await forEachBounded(missing(), options.max_concurrency, playOne, shouldStop);
  await Promise.all(writes);
  if (disk.error !== undefined) throw refused(disk.error);
  return played;
}

function refused(cause: unknown): unknown {
  const full = diskError("runs.jsonl", cause);
  if (full !== cause) return full;
  return new PairwrightError({
    code: "disk_error",
    where: "runs.jsonl",
    what: `the disk refused a write: ${String(cause)}`,
    fix: "mend that, then go on with --resume",
    exit_code: EXIT.interrupted,
    cause,
  });
}
