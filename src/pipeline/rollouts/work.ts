import { availableParallelism } from "node:os";
import { setImmediate as turn } from "node:timers/promises";
import { BUILTIN_FORMATS } from "../../datasets/formats/builtin-formats.ts";
import { startThread } from "../../lib/thread.ts";
import { BUILTIN_READERS } from "../../preferences/rollouts/readers/builtin-readers.ts";
import type { MadeRows, PlacedCouple, RowMemory } from "./made-rows.ts";
import { RowMaker, type RowOptions } from "./make-rows.ts";
import type { OpenSource } from "./rollout-lines.ts";
import { type Scanned, Scanner } from "./scan.ts";

/** A part of a file to look at, or couples to make into rows. */
export type RolloutJob =
  | { kind: "scan"; file: number; start: number; end: number; size: number; max_bad: number }
  | { kind: "rows"; couples: PlacedCouple[]; memory: RowMemory | undefined };

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
/** A thread works on one job while the next two are on their way. */
const JOBS_EACH = 3;
/** So many more wait for whoever is free first, so that none waits for the slowest. */
const JOBS_WAITING = 4;
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
    rows: async ({ couples, memory }) => maker.make(couples, memory),
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
  const threads = Array.from({ length: count }, () => startThread<RolloutJob, Scanned | MadeRows>(url, task, LIMITS));
  const local = here(options, sources);
  const hands: Hand[] = threads.map((thread) => ({ free: JOBS_EACH, run: (job) => thread.run(job, memoryOf(job)) }));
  // Jobs here do not run beside one another: they share memory. Between two of them the threads are heard.
  const doHere = async (job: RolloutJob) => {
    await turn();
    return job.kind === "scan" ? local.scan(job) : local.rows(job);
  };
  hands.push({ free: 1, run: doHere });
  const give = shared(hands);
  return {
    ahead: count * JOBS_EACH + 1 + JOBS_WAITING,
    scan: (job) => give(job) as Promise<Scanned>,
    rows: (job) => give(job) as Promise<MadeRows>,
    stop: () => Promise.all(threads.map((thread) => thread.stop())),
  };
}

function memoryOf(job: RolloutJob): RowMemory | [] {
  return job.kind === "rows" && job.memory !== undefined ? job.memory : [];
}

/** Who does jobs, and how many more it takes now. */
interface Hand {
  free: number;
  run(job: RolloutJob): Promise<Scanned | MadeRows>;
}

/** Gives each job to the first hand that is free, in the order in which they come. */
function shared(hands: readonly Hand[]): (job: RolloutJob) => Promise<Scanned | MadeRows> {
  const waiting: ((hand: Hand) => void)[] = [];
  async function runBy(hand: Hand, job: RolloutJob): Promise<Scanned | MadeRows> {
    try {
      return await hand.run(job);
    } finally {
      const next = waiting.shift();
      if (next === undefined) hand.free += 1;
      else next(hand);
    }
  }
  return (job) => {
    const first = hands.reduce((a, b) => (b.free > a.free ? b : a));
    let result: Promise<Scanned | MadeRows>;
    if (first.free > 0) {
      first.free -= 1;
      result = runBy(first, job);
    } else result = new Promise<Hand>((resolve) => waiting.push(resolve)).then((hand) => runBy(hand, job));
    // A fault is thrown when its turn comes.
    result.catch(() => undefined);
    return result;
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
