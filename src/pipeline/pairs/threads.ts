import { availableParallelism } from "node:os";
import { nemoCustomizer } from "../../datasets/formats/nemo-customizer.ts";
import { startThread } from "../../lib/thread.ts";
import { DpoTrajBuilder } from "../../preferences/dpo-pairs.ts";
import type { DpoTrajBuilderOptions } from "../../preferences/dpo-traj-builder-options.ts";
import { type BatchMemory, type BatchOptions, memoryOf, newMemory } from "./batch.ts";
import type { PairBatch } from "./entries.ts";
import type { RunIndex, RunLine } from "./run-lines.ts";
import { lineBatches } from "./source.ts";

/** What a thread is started with: what it cannot be given as live parts. */
export interface ThreadTask extends Omit<BatchOptions, "builder" | "format"> {
  paths: readonly string[];
  builder: DpoTrajBuilderOptions;
}

/** Lines to work on, and memory for what comes of them: it comes back with that. */
export interface Job {
  lines: Omit<RunLine, "path" | "file">[];
  memory: BatchMemory;
}

/** Below this a thread's start costs more than it saves. */
const WORTH_BYTES = 128 << 20;
/** Each thread takes some 40 MB, and the one that writes can follow no more than so many. */
const MAX_THREADS = 3;
/** Runs die young: each collection costs what lives, a run or two, so it must not come too often. */
const LIMITS = { maxYoungGenerationSizeMb: 12 };
/** A thread works on one batch while the last one is taken over. */
const JOBS_EACH = 3;

/**
 * How many threads are to make pairs; 0 is none beside the caller's. They know our own parts alone, so a plugin's
 * builder or format does without them, and so does source that runs without having been built.
 */
export function threadsFor(index: RunIndex, { builder, format }: BatchOptions, asked: number | undefined): number {
  if (DpoTrajBuilder.optionsOf(builder) === undefined || format !== nemoCustomizer) return 0;
  if (!import.meta.url.endsWith(".js")) return 0;
  if (asked !== undefined) return asked;
  return index.bytes < WORTH_BYTES ? 0 : Math.min(MAX_THREADS, availableParallelism());
}

/** The pairs of all runs, in order, made by `threads` threads; each batch is good until the next one is asked for. */
export async function* threadBatches(
  index: RunIndex,
  paths: readonly string[],
  options: BatchOptions & { signal?: AbortSignal | undefined },
  threads: number,
): AsyncGenerator<PairBatch> {
  const builder = DpoTrajBuilder.optionsOf(options.builder);
  if (builder === undefined) throw new TypeError("a thread cannot be given this builder");
  const { use_full_message_history, training_type, split, max_pairs, seed, signal } = options;
  const task = { paths, builder, use_full_message_history, training_type, split, max_pairs, seed };
  const file = new URL("./worker.js", import.meta.url);
  const workers = Array.from({ length: threads }, () => startThread<Job, PairBatch>(file, task, LIMITS));
  const waiting: Promise<PairBatch>[] = [];
  const batches = lineBatches(index);
  let jobs = 0;
  const start = (memory: BatchMemory) => {
    const { done, value } = batches.next();
    if (done) return;
    // Jobs go round, and results are taken in the same order.
    const worker = workers[jobs % threads];
    jobs += 1;
    if (worker === undefined) return;
    const result = worker.run({ lines: value.map(({ path: _, file: __, ...line }) => line), memory }, memory);
    // A fault is thrown when its turn comes.
    result.catch(() => undefined);
    waiting.push(result);
  };
  try {
    for (let place = 0; place < threads * JOBS_EACH; place += 1) start(newMemory());
    for (let batch = await waiting.shift(); batch !== undefined; batch = await waiting.shift()) {
      signal?.throwIfAborted();
      yield batch;
      start(memoryOf(batch));
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}
