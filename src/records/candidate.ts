import type { Message, Tool } from "./message.ts";

/** Where candidates come from: one run of one example. */
export interface CandidateSource {
  example_id: string;
  example_index: number;
  rep: number;
  run_index: number;
  seed: number;
  group?: string | undefined;
}

/**
 * One reply that test-time compute proposed at one decision point. Read back from the intermediate steps of a run, or
 * from other agents' records; the pair builder knows nothing else.
 */
export interface CandidateRecord {
  turn_id: string;
  turn_index: number;
  candidate_index: number;
  /** What the model saw, before the reply. Candidates pair only when these are equal. */
  prompt: Message[];
  /** The reply: one assistant message, or a whole stretch with tool calls and their results. Empty when the call failed. */
  completion: Message[];
  /** Higher is better; `null` is *unscored*, which is not zero. */
  score: number | null;
  is_selected: boolean;
  /** The name of the model that sampled it; `null` when known to come from code; `undefined` when nobody said. */
  model: string | null | undefined;
  /** The seed of this candidate, where one was used. */
  seed?: number | undefined;
  tools?: Tool[] | undefined;
  finish_reason?: string | undefined;
  /** Why there is no reply or no score. */
  error?: string | undefined;
  tokens?: number | undefined;
}

/** The candidates of one turn of one run, in candidate order. */
export interface TurnRecord {
  source: CandidateSource;
  turn_id: string;
  turn_index: number;
  candidates: CandidateRecord[];
}
