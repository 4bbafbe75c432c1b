import { AsyncLocalStorage } from "node:async_hooks";
import type { InvocationNode } from "../records/step.ts";
import type { Usage } from "../records/usage.ts";
import type { RunContext } from "../registry/workflow.ts";
import type { StepLog } from "./step-log.ts";

/** What model calls inside one candidate's sampling added up to: the evidence of who made the candidate. */
export interface CallTally {
  /** The last model that answered; undefined as long as none did. */
  model: string | undefined;
  usage: Usage;
}

/** Where the seeds of model calls come from that name none: a place in the run, and a count of the calls made there. */
export interface CallSeeds {
  place: readonly (string | number)[];
  calls: number;
}

/** Where in a run the code stands: which run, inside which function, under which open step, for which candidate. */
export interface Scope {
  context: RunContext;
  log: StepLog;
  node: InvocationNode;
  parent_id: string;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Of the whole run. */
  total: Usage;
  /** Put on every step that is recorded here: which candidate of which turn is being sampled, if any. */
  tags: string[] | undefined;
  seeds: CallSeeds;
  /** Of the candidate being sampled, if any. */
  tally: CallTally | undefined;
}

/** Follows a run through every await, so that parallel candidates never mix. */
export const currentScope = new AsyncLocalStorage<Scope>();
