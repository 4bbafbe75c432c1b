import type { Wanted } from "../lib/json-pick.ts";
import type { CandidateRecord, TurnRecord } from "../records/candidate.ts";
import type { Message } from "../records/message.ts";
import { isObject, messagesOf, toolsOf } from "../records/messages-of.ts";
import type { RunRecord } from "../records/run.ts";
import type { SkipCounts } from "../registry/training.ts";

const CANDIDATE_FIELDS = {
  turn_id: "all",
  turn_index: "all",
  candidate_index: "all",
  input: "all",
  prompt: "all",
  output: "all",
  raw_llm_response: "all",
  move: "all",
  score: "all",
  is_selected: "all",
  model: "all",
  seed: "all",
  tools: "all",
  finish_reason: "all",
  error: "all",
} as const;

/** The fields of a run that `turnsOf` reads: with others left out it gives the same. */
export const TURN_FIELDS = {
  example_id: "all",
  example_index: "all",
  rep: "all",
  run_index: "all",
  seed: "all",
  group: "all",
  steps: [
    {
      payload: {
        event_type: "all",
        name: "all",
        data: CANDIDATE_FIELDS,
        metadata: CANDIDATE_FIELDS,
        usage_info: { token_usage: { total_tokens: "all" } },
      },
    },
  ],
} as const satisfies Wanted;

/**
 * The candidates of a run, out of its intermediate steps: each TTC_END or CUSTOM_END whose name is `step_name`. Its
 * fields are looked for in `data`, then in `metadata`. Turns come in the order of `turn_index`, candidates in that of
 * `candidate_index`.
 *
 * The steps may come from anyone's code, so nothing here throws. `skipped` counts each step left out:
 * `no_turn_id`, `no_candidate_index` and `no_prompt` (missing), `odd_prompt` and `odd_reply` (neither text nor
 * messages), `repeated_candidate` (its turn holds that index already; the first one stays).
 */
export function turnsOf(run: RunRecord, step_name: string, skipped: SkipCounts = {}): TurnRecord[] {
  const turns = new Map<string, TurnRecord>();
  const prompts = new LastPrompt();
  for (const step of run.steps as unknown[]) {
    const payload = isObject(step) ? step.payload : undefined;
    if (!isObject(payload) || payload.name !== step_name) continue;
    if (payload.event_type !== "TTC_END" && payload.event_type !== "CUSTOM_END") continue;
    const read = readCandidate(payload, prompts);
    if (typeof read === "string") skipped[read] = (skipped[read] ?? 0) + 1;
    else if (!join(turns, run, read)) skipped.repeated_candidate = (skipped.repeated_candidate ?? 0) + 1;
  }
  const all = [...turns.values()];
  for (const turn of all) inOrder(turn.candidates, byCandidate);
  return inOrder(all, byTurn);
}

type Reason = "no_turn_id" | "no_candidate_index" | "no_prompt" | "odd_prompt" | "odd_reply";
/** -1 stands for a turn whose place was not recorded. */
const UNKNOWN_INDEX = -1;
const NOTHING: Record<string, unknown> = {};

/** Candidates that come one after another mostly have one prompt: read as one object it stays one. */
class LastPrompt {
  #input: unknown;
  #prompt: Message[] | undefined;

  of(input: unknown): Message[] | undefined {
    if (input !== this.#input) {
      this.#input = input;
      this.#prompt = messagesOf(input, "user");
    }
    return this.#prompt;
  }
}

function readCandidate(payload: Record<string, unknown>, prompts: LastPrompt): CandidateRecord | Reason {
  const data = isObject(payload.data) ? payload.data : NOTHING;
  const metadata = isObject(payload.metadata) ? payload.metadata : NOTHING;
  // Data that names its turn is a candidate's own record: a null in it was meant. Elsewhere a null only fills a place.
  const meant = isName(data.turn_id);
  const get = (key: string): unknown => {
    const value = data[key];
    return value !== undefined && (value !== null || meant) ? value : metadata[key];
  };

  const turn = get("turn_id");
  if (!isName(turn)) return "no_turn_id";
  const candidate_index = get("candidate_index");
  if (!isIndex(candidate_index)) return "no_candidate_index";
  const input = get("input") ?? get("prompt");
  if (input === undefined || input === null) return "no_prompt";
  const prompt = prompts.of(input);
  if (prompt === undefined || prompt.length === 0) return "odd_prompt";
  const output = get("output");
  const completion = completionOf(output === undefined ? (get("raw_llm_response") ?? get("move")) : output);
  if (completion === undefined) return "odd_reply";

  const turn_index = get("turn_index");
  const score = get("score");
  const candidate: CandidateRecord = {
    turn_id: String(turn),
    turn_index: isIndex(turn_index) ? turn_index : UNKNOWN_INDEX,
    candidate_index,
    prompt,
    completion,
    score: typeof score === "number" && Number.isFinite(score) ? score : null,
    is_selected: get("is_selected") === true,
    model: modelOf(data, metadata),
  };
  addWhatIsKnown(candidate, get, payload.usage_info);
  return candidate;
}

/** Fields that not every record has. */
function addWhatIsKnown(candidate: CandidateRecord, get: (key: string) => unknown, usage: unknown): void {
  const seed = get("seed");
  if (typeof seed === "number" && Number.isSafeInteger(seed)) candidate.seed = seed;
  const tools = toolsOf(get("tools"));
  if (tools !== undefined) candidate.tools = tools;
  const finish_reason = get("finish_reason");
  if (typeof finish_reason === "string") candidate.finish_reason = finish_reason;
  const error = get("error");
  if (typeof error === "string") candidate.error = error;
  else if (isObject(error) && typeof error.code === "string") candidate.error = error.code;
  const counted = isObject(usage) && isObject(usage.token_usage) ? usage.token_usage.total_tokens : undefined;
  if (typeof counted === "number" && counted >= 0) candidate.tokens = counted;
}

/** `null` was written on purpose and says that code made it; a field that is not there says nothing. */
function modelOf(data: Record<string, unknown>, metadata: Record<string, unknown>): string | null | undefined {
  const model = data.model ?? metadata.model;
  if (typeof model === "string") return model;
  return "model" in data || "model" in metadata ? null : undefined;
}

/** A reply; empty when there is none, `undefined` when it is nothing that a model could have said. */
function completionOf(output: unknown): Message[] | undefined {
  if (output === undefined || output === null) return [];
  const messages = messagesOf(output, "assistant");
  if (messages === undefined || messages.length === 0) return messages;
  return messages.some((message) => message.role === "assistant") ? messages : undefined;
}

function join(turns: Map<string, TurnRecord>, run: RunRecord, candidate: CandidateRecord): boolean {
  const { turn_id } = candidate;
  let turn = turns.get(turn_id);
  if (turn === undefined) {
    const turn_index = candidate.turn_index === UNKNOWN_INDEX ? turns.size : candidate.turn_index;
    turn = { source: sourceOf(run), turn_id, turn_index, candidates: [] };
    turns.set(turn_id, turn);
  } else if (turn.candidates.some(({ candidate_index }) => candidate_index === candidate.candidate_index)) {
    return false;
  }
  candidate.turn_index = turn.turn_index;
  turn.candidates.push(candidate);
  return true;
}

function sourceOf(run: RunRecord): TurnRecord["source"] {
  const { example_id, example_index, rep, run_index, seed, group } = run;
  return { example_id, example_index, rep, run_index, seed, ...(group !== undefined && { group }) };
}

function isName(value: unknown): value is string | number {
  return typeof value === "number" || (typeof value === "string" && value !== "");
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

const byCandidate = (a: CandidateRecord, b: CandidateRecord) => a.candidate_index - b.candidate_index;
const byTurn = (a: TurnRecord, b: TurnRecord) => a.turn_index - b.turn_index;

/** Sorts in place, unless it is sorted already, as it nearly always is. */
function inOrder<T>(items: T[], compare: (a: T, b: T) => number): T[] {
  let before: T | undefined;
  for (const item of items) {
    if (before !== undefined && compare(before, item) > 0) return items.sort(compare);
    before = item;
  }
  return items;
}
