import { silentLogger } from "../../lib/log.ts";
import type { RunExampleOptions } from "../run-example.ts";

/** The first run of an example with seed 0 and a clock that stands; a test adds the workflow and what it is about. */
export function firstRun(
  options: Pick<RunExampleOptions, "workflow"> & Partial<RunExampleOptions>,
): RunExampleOptions {
  return {
    workflow_name: "w",
    rep: 0,
    run_index: 0,
    seed: 0,
    policy_only: false,
    signal: new AbortController().signal,
    log: silentLogger,
    now: () => 1_000,
    ...options,
  };
}
