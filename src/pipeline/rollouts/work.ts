import { availableParallelism } from "node:os";
import { BUILTIN_FORMATS } from "../../datasets/formats/builtin-formats.ts";
import { startThread } from "../../lib/thread.ts";
import { BUILTIN_READERS } from "../../preferences/rollouts/readers/builtin-readers.ts";
import { type MadeRows, type PlacedCouple, RowMaker, type RowOptions } from "./make-rows.ts";
import type { OpenSource } from "./rollout-lines.ts";
import { type Scanned, Scanner } from "./scan.ts";

/** A part of a file to look at, or couples to make into rows. */
export type RolloutJob =
  | { kind: "scan"; file: number; start: number; end: number; size: number; max_bad: number }
  | { kind: "rows"; couples: PlacedCouple[] };

/** Does jobs; several at a time, where there are threads. */
export interface Workers {
  /** How many jobs to give before the first result is taken. */
  readonly ahead: number;
  scan(job: RolloutJob & { kind: "scan" }): Promise<Scanned>;
  rows(job: RolloutJob & { kind: "rows" }): Promise<MadeRows>;
  stop(): Promise<unknown>;
}

/** What a thread is started with: its own parts by their names, since it cannot be given live ones. */
export interface RolloutTask extends Omit<RowOptions, "format"> {
  format_name: string;
  files: { name: string; path: string; reader_name: string }[];
}

/** An open file, with the path by which a thread opens it again. */
export type WorkSource = OpenSource & { path: string };

/** Below this a thread's start costs more than it saves. */
const WORTH_BYTES = 16 << 20;
/** Each takes some 50 MB; one that writes and hashes follows no more than so many. */
const MAX_THREADS = 3;
/** A thread works on one job while the next one is on its way. */
const JOBS_EACH = 2;
const LIMITS = { maxYoungGenerationSizeMb: 8 };

/** What does the work on these files: threads where that is worth it and all parts are our own, else this thread. */
export function startWork(
  options: RowOptions & { format_name: string },
  sources: readonly WorkSource[],
  { bytes, threads: asked }: { bytes: number; threads: number | undefined },
): Workers {
  const threads = asked ?? (bytes < WORTH_BYTES ? 0 : Math.min(MAX_THREADS, availableParallelism() - 1));
  return threads > 0 && isOurs(options, sources) ? inThreads(options, sources, threads) : here(options, sources);
}

function isOurs(
  { format, format_name }: RowOptions & { format_name: string },
  sources: readonly WorkSource[],
): boolean {
  return (
    import.meta.url.endsWith(".js") &&
    BUILTIN_FORMATS[format_name]?.format === format &&
    sources.every(({ reader, reader_name }) => BUILTIN_READERS[reader_name]?.reader === reader)
  );
}

function here(options: RowOptions, sources: readonly WorkSource[]): Workers {
  const scanner = new Scanner(options);
  const maker = new RowMaker(options, sources);
  return {
    ahead: 1,
    async scan({ file, max_bad, ...range }) {
      const source = sources[file];
      if (source === undefined) throw new RangeError(`there is no file ${file}`);
      return scanner.scan(source.file, range, source.reader, max_bad);
    },
    rows: async ({ couples }) => maker.make(couples),
    stop: async () => undefined,
  };
}

/**
 * Threads, and this one beside them: a job that no thread is free for is done here. A thread costs 50 MB and warms up by
 * itself, so one less is worth the trouble.
 */
function inThreads(
  options: RowOptions & { format_name: string },
  sources: readonly WorkSource[],
  count: number,
): Workers {
  const files = sources.map(({ name, path, reader_name }) => ({ name, path, reader_name }));
  const task: RolloutTask = { ...taskOptions(options), files };
  const url = new URL("./worker.js", import.meta.url);
  const threads = Array.from({ length: count }, () => ({
    thread: startThread<RolloutJob, Scanned | MadeRows>(url, task, LIMITS),
    jobs: 0,
  }));
  const local = here(options, sources);
  let last: Promise<unknown> = Promise.resolve();
  function doHere<Result>(work: () => Promise<Result>): Promise<Result> {
    // One after another: they share memory.
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  }
  async function inThread(job: RolloutJob, to: (typeof threads)[number]): Promise<Scanned | MadeRows> {
    to.jobs += 1;
    try {
      return await to.thread.run(job);
    } finally {
      to.jobs -= 1;
    }
  }
  function give<Result>(job: RolloutJob, work: () => Promise<Result>): Promise<Result> {
    const free = threads.reduce((a, b) => (b.jobs < a.jobs ? b : a));
    const result = free.jobs < JOBS_EACH ? (inThread(job, free) as Promise<Result>) : doHere(work);
    // A fault is thrown when its turn comes.
    result.catch(() => undefined);
    return result;
  }
  return {
    ahead: count * JOBS_EACH + 1,
    scan: (job) => give(job, () => local.scan(job)),
    rows: (job) => give(job, () => local.rows(job)),
    stop: () => Promise.all(threads.map(({ thread }) => thread.stop())),
  };
}

/** What can be sent to a thread, and is of use there. */
function taskOptions(options: RowOptions & { format_name: string }): Omit<RolloutTask, "files"> {
  const {
    completion,
    reward,
    pass_threshold,
    task_key,
    prompt_from,
    use_full_message_history,
    allow_loss,
    format_name,
  } = options;
  return {
    completion,
    reward,
    pass_threshold,
    task_key,
    prompt_from,
    use_full_message_history,
    allow_loss,
    format_name,
  };
}

/** Results in the order of their jobs, with as many under way as `ahead` says. */
export async function* inOrder<Job, Result>(
  jobs: Iterable<Job>,
  ahead: number,
  run: (job: Job) => Promise<Result>,
): AsyncGenerator<{ job: Job; result: Result }> {
  const waiting: { job: Job; result: Promise<Result> }[] = [];
  for (const job of jobs) {
    waiting.push({ job, result: run(job) });
    const first = waiting.length < ahead ? undefined : waiting.shift();
    if (first !== undefined) yield { job: first.job, result: await first.result };
  }
  for (const { job, result } of waiting) yield { job, result: await result };
}
