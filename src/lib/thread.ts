import { parentPort, type TransferListItem, Worker, type WorkerOptions } from "node:worker_threads";
import { type ErrorFacts, PairwrightError } from "./errors.ts";

/** A thread that works on one job after another. */
export interface Thread<Job, Result> {
  run(job: Job, transfer?: readonly TransferListItem[]): Promise<Result>;
  /** It ends what it has begun, which takes some milliseconds, and closes its files. */
  stop(): Promise<unknown>;
}

/** What a thread says: a result, or an error, which keeps its facts on the way but not its class. */
type Said<Result> = { result: Result } | { facts: ErrorFacts } | { error: unknown };

const STOP = "stop";

/** Starts the file at `url` as a thread; it calls `serveThread`. `data` is its `workerData`. */
export function startThread<Job, Result>(
  url: URL,
  data: unknown,
  limits?: WorkerOptions["resourceLimits"],
): Thread<Job, Result> {
  // Flags of the main thread, such as a loader's, are not for this one: it runs built files alone.
  const worker = new Worker(url, { workerData: data, execArgv: [], ...(limits && { resourceLimits: limits }) });
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  const waiting: { resolve(result: Result): void; reject(error: unknown): void }[] = [];
  let failure: { error: unknown } | undefined;
  worker.on("message", (said: Said<Result>) => {
    const asked = waiting.shift();
    if ("result" in said) asked?.resolve(said.result);
    else asked?.reject("facts" in said ? new PairwrightError(said.facts) : said.error);
  });
  const fail = (error: unknown) => {
    failure ??= { error };
    for (const asked of waiting.splice(0)) asked.reject(error);
  };
  worker.on("error", fail);
  worker.on("exit", (code) => fail(new Error(`a thread ended with code ${code}`)));
  return {
    run(job, transfer = []) {
      if (failure) return Promise.reject(failure.error);
      worker.postMessage(job, transfer);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    stop() {
      worker.postMessage(STOP);
      return ended;
    },
  };
}

/** Makes this thread do each job in turn. `transfer` says which memory of a result goes along, rather than a copy of it. */
export function serveThread<Job, Result>({
  work,
  transfer,
  stop,
}: {
  work(job: Job): Promise<Result>;
  transfer(result: Result): TransferListItem[];
  stop(): Promise<unknown>;
}): void {
  let last: Promise<void> = Promise.resolve();
  const reply = async (job: Job) => {
    try {
      const result = await work(job);
      parentPort?.postMessage({ result }, transfer(result));
    } catch (error) {
      parentPort?.postMessage(failureOf(error));
    }
  };
  parentPort?.on("message", (job: Job | typeof STOP) => {
    last = last.then(async () => {
      if (job !== STOP) return reply(job);
      await stop();
      parentPort?.close();
    });
  });
}

function failureOf(error: unknown): { facts: ErrorFacts } | { error: unknown } {
  if (!PairwrightError.is(error)) return { error };
  const { code, where, what, fix, exit_code } = error;
  return { facts: { code, where, what, fix, exit_code } };
}
