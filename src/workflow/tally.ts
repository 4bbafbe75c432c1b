import { AsyncLocalStorage } from "node:async_hooks";
import { noUsage, type Usage } from "../records/usage.ts";

/** The sum that model calls outside of a run go into, if anybody asked for one; `instrumentModel` adds to it. */
export const currentTally = new AsyncLocalStorage<Usage>();

/**
 * Runs `work` and says what the instrumented models called in it used, in parallel ones too. Calls inside a running
 * example are that run's and do not count here; what a throw of `work` had used is lost, so let it give back its error.
 */
export async function withTally<T>(work: () => Promise<T>): Promise<{ value: T; usage: Usage }> {
  const usage = noUsage();
  const value = await currentTally.run(usage, work);
  return { value, usage };
}
