import type { Message, Tool } from "./message.ts";

/**
 * What became of a rollout. Only a `completed` one may be chosen; a `truncated` one, which met a limit, may be
 * rejected; the others are left out and counted by this name: `errored` (the server or the agent failed), `failed` (its
 * reward could not be found), `masked` (its maker says not to train on it), `no_response`, and `unsupported_item` (there
 * is something in it that the chat protocol has no message for).
 */
export type RolloutState =
  | "completed"
  | "truncated"
  | "errored"
  | "failed"
  | "masked"
  | "no_response"
  | "unsupported_item";

/** One try at a task, whoever recorded it. */
export interface RolloutRecord {
  /** Equal for tries at the same task; `undefined` when the record names none: then the prompt is all that is known. */
  task: string | undefined;
  /** What else tells tasks of one prompt apart, such as the answer that was expected: tries that differ here had different tasks. */
  variant?: string | undefined;
  /** Which of the task's tries it is, where the record says. */
  rollout: number | undefined;
  /** What the model was asked, with its tools. Empty when the record does not hold it. */
  prompt: Message[];
  tools?: Tool[] | undefined;
  /** All after the prompt: the assistant's turns, results of tools, what users and the environment said. */
  completion: Message[];
  /** As it was recorded. A finite number is a score; whatever else stands here is *unscored*, which is not zero. */
  reward: unknown;
  /** The parts of the reward by name, as recorded. */
  components?: Record<string, unknown> | undefined;
  state: RolloutState;
  /** The model that gave it; `null` or `undefined` when nobody said. */
  model: string | null | undefined;
}

/** A row that a reader cannot take, and why. */
export interface BrokenRollout {
  problem: string;
}
