import { EXIT, PairwrightError } from "../lib/errors.ts";
import { onInterrupt } from "./interrupt.ts";

/** Work that Ctrl-C (or SIGTERM) aborts at once, since nothing of it is lost that cannot be made again. */
export async function stoppable<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  using interrupt = onInterrupt(() => undefined);
  try {
    return await work(interrupt.drain);
  } catch (error) {
    if (!interrupt.drain.aborted) throw error;
    throw new PairwrightError({
      code: "interrupted",
      what: "stopped; no half-written file is left, and data sets that were there before are as they were",
      fix: "give the same command again",
      exit_code: EXIT.interrupted,
      cause: error,
    });
  }
}
