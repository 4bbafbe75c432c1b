import type { Logger } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Message, Tool } from "../records/message.ts";
import type { EventType, StepUsage } from "../records/step.ts";
import type { Usage } from "../records/usage.ts";
import type { Completion } from "./chat-model.ts";

/** A row of the data set, made ready. */
export interface Example {
  id: string;
  /** Position in the data set, from 0. */
  index: number;
  /** What the workflow is given: the row's question, or the whole row when `structure.disable` is set. */
  input: unknown;
  /** The right answer, where the row has one. */
  answer?: unknown;
  /** The row itself, all fields. */
  row: Record<string, unknown>;
}

/** What a workflow may push: an event of its own, or a candidate (see `RunContext.steps`). */
export interface StepInput {
  event_type: EventType;
  name?: string;
  data?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  tags?: string[];
  usage_info?: StepUsage;
  /** Joins an END to its START; made when absent. */
  UUID?: string;
}

/** A place in a turn that a reply is to be sampled for. */
export interface Slot {
  /** From 0: the how-many-th candidate. */
  index: number;
  /** 31 bits from (seed, example, rep, run, turn, candidate). Give it to the model. */
  seed: number;
  /** Seeded by `seed`, for candidates that code makes. */
  random: Random;
  turn_index: number;
  /** What `choose` was given as `input`. */
  input: unknown;
  example: Example;
  signal: AbortSignal;
}

/** A reply with more to it than its text. */
export interface Sample {
  /** Shorthand for one assistant message. */
  text?: string | undefined;
  /** The reply as messages: one assistant message, or a stretch with tool calls and results that ends with one. */
  messages?: Message[] | undefined;
  /** What the model saw, when that differs from the turn's prompt: the retry of a refused reply, for instance. */
  prompt?: Message[] | undefined;
  tools?: Tool[] | undefined;
  /**
   * Who made it, where the calls of the configuration's models do not tell: a model of one's own by its name, or null
   * for code that is no model.
   */
  model?: string | null | undefined;
  /** What the reply means to the program: a parsed move, for instance. `score` and the caller get it back. */
  value?: unknown;
  finish_reason?: string | null | undefined;
  /** What was thrown instead of a reply, when an earlier try of the same slot is worth keeping. */
  error?: unknown;
  /** A score known already; `score` is not asked for this one. */
  score?: number | undefined;
  /** Why it has this score, or what is wrong with it. */
  reason?: string | undefined;
  metadata?: Record<string, unknown> | undefined;
}

export type Sampled = string | Completion | Sample;

/** One reply at one decision point, as scorers, selectors and the caller of `choose` see it. */
export interface Candidate {
  candidate_index: number;
  seed: number;
  /** The reply's text: its last message's. Empty when sampling failed. */
  text: string;
  messages: Message[];
  prompt: Message[];
  tools: Tool[] | undefined;
  value: unknown;
  /** `null` is unscored. */
  score: number | null;
  reason: string | undefined;
  /** Why there is no reply or no score. */
  error: { code: string; message: string } | undefined;
  finish_reason: string | undefined;
  /** The model that made it; null when that was code; undefined when nobody said and none of our models was called. */
  model: string | null | undefined;
  usage: Usage;
  is_selected: boolean;
  metadata: Record<string, unknown>;
}

/** What a scorer may want to know besides the candidate. */
export interface Question {
  label: string;
  turn_index: number;
  prompt: readonly Message[];
  input: unknown;
  example: Example;
  signal: AbortSignal;
}

export type ScoreResult = number | null | { score: number | null; reason?: string | undefined };

// Method types, so that a plugin may narrow what it takes: (question: string) => …
interface Callables {
  run(input: unknown, context: RunContext): unknown;
  sample(prompt: Message[], slot: Slot): Sampled | Sampled[] | Promise<Sampled | Sampled[]>;
  sampleTogether(prompt: Message[], slots: readonly Slot[]): Promise<readonly (Sampled | Sampled[])[]>;
  edit(candidate: Candidate, question: Question): Sampled | null | Promise<Sampled | null>;
  score(candidate: Candidate, question: Question): ScoreResult | Promise<ScoreResult>;
  select(candidates: readonly Candidate[], question: Question): number | null | Promise<number | null>;
}

/** A workflow, or a function inside one: input in, output out. */
export type WorkflowFunction = Callables["run"];
/** A function as another one calls it: the running example's context is found by itself when none is given. */
export type BoundFunction = (input: unknown, context?: RunContext) => Promise<unknown>;
/** Samples one reply, or several when it tried again: the last one is the slot's answer, the others are kept too. */
export type SampleFunction = Callables["sample"];
/** Writes a better version of a candidate, which joins the others; null leaves it alone. */
export type Edit = Callables["edit"];
/** Judges one candidate; higher is better, null is no opinion. A throw fails that candidate alone. */
export type Scorer = Callables["score"];
/** Picks one by its place in the list; null when none will do, which fails the turn. Only scored ones come in, if any is. */
export type Selector = Callables["select"];

/** Slots whose replies one call draws, such as a request for several choices. */
export interface Together {
  /** How many of the turn's slots each call is for, in their order: all of them, and no more. */
  sizes: readonly number[];
  /** Gives one result for each slot. A throw fails all of them. */
  sample: Callables["sampleTogether"];
}

/** Proposes replies: how many, and how one is sampled. */
export interface Search {
  candidates: number;
  sample: SampleFunction;
  /** Where several replies are drawn by one call; a turn with one candidate does without. */
  together?: Together | undefined;
}

export interface ChooseOptions {
  /** What the model is asked, before any reply. */
  prompt: Message[];
  /** The question behind the prompt, for `sample` and `score`: a position on a board, say. */
  input?: unknown;
  /** How many candidates to sample; 1 unless told. */
  candidates?: number;
  sample: SampleFunction;
  /** Draws several candidates by one call, in place of `sample` for each: one step of the log, and one request. */
  together?: Together | undefined;
  edit?: Edit | undefined;
  score?: Scorer | undefined;
  /** Picks the best score, the first of equals, unless told. */
  select?: Selector | undefined;
  tools?: Tool[];
  /** The recorded steps' name; `dpo_candidate_move` unless told, which is where the pair builder looks. */
  step_name?: string;
  /** TTC_END unless told. */
  event_type?: "TTC_END" | "CUSTOM_END";
  /** Further keys for each candidate's recorded metadata. */
  describe?: (candidate: Candidate, turn: { turn_id: string; turn_index: number }) => Record<string, unknown>;
}

/** A decision: all candidates, and the one that was taken. */
export interface Turn {
  turn_id: string;
  turn_index: number;
  candidates: Candidate[];
  selected: Candidate;
}

/** What a workflow has while it runs one example. */
export interface RunContext {
  readonly example: Example;
  readonly seed: number;
  readonly rep: number;
  readonly run_index: number;
  /** One candidate a turn and no scorer: what the model does by itself. `choose` sees to it. */
  readonly policy_only: boolean;
  readonly signal: AbortSignal;
  /** Seeded by (seed, example, rep, run); the same numbers each time the example runs. */
  readonly random: Random;
  readonly log: Logger;
  readonly steps: {
    /**
     * Records an event. A TTC_END or CUSTOM_END with `turn_id`, `candidate_index` and a score is a candidate, also
     * without a START before it.
     */
    push(step: StepInput): void;
  };
  /**
   * Spends test-time compute on one decision: samples candidates in parallel, scores them, selects one, and records
   * every one. `label` names the turn. Throws when no candidate could be had, or when every scoring failed. Decisions of
   * one example are numbered as they are asked for, and their seeds follow: ask one after another, or in a fixed order.
   */
  choose(label: string, options: ChooseOptions): Promise<Turn>;
  /**
   * Runs `work` between a START and an END of the given category, with whatever it pushes nested inside. The END holds
   * what `work` gives back, or what `outputOf` makes of it.
   */
  span<T>(
    category: "TOOL" | "TASK" | "FUNCTION" | "CUSTOM",
    name: string,
    input: unknown,
    work: () => Promise<T>,
    outputOf?: (result: T) => unknown,
  ): Promise<T>;
}
