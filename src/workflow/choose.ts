import { codeOf, messageOf, PairwrightError } from "../lib/errors.ts";
import { sha256 } from "../lib/hash.ts";
import { indexOfBest } from "../lib/index-of-best.ts";
import { copyMessages } from "../records/message-text.ts";
import { noUsage } from "../records/usage.ts";
import type { ChooseOptions, Question, ScoreResult, Scorer, Selector, Turn } from "../registry/workflow.ts";
import { recordTurn } from "./record-turn.ts";
import { type Draft, draft, sampleSlots, toSample } from "./sampling.ts";
import { type CallTally, currentScope, type Scope } from "./scope.ts";

/** One decision: sample in parallel, edit, score, select, record. The contract is that of `RunContext.choose`. */
export async function choose(scope: Scope, turn_index: number, label: string, given: ChooseOptions): Promise<Turn> {
  // The caller's conversation goes on; what this turn saw stays as it was.
  const options = { ...given, prompt: copyMessages(given.prompt) };
  const { context } = scope;
  const { example, seed, rep, run_index } = context;
  const turn_id = `turn_${turn_index}_${sha256(JSON.stringify([seed, example.id, rep, run_index, turn_index])).slice(0, 8)}`;
  const question: Question = {
    label,
    turn_index,
    prompt: options.prompt,
    input: options.input,
    example,
    signal: context.signal,
  };
  const count = context.policy_only ? 1 : Math.max(1, options.candidates ?? 1);

  const slots = await sampleSlots(scope, options, { turn_index, count });
  // A slot's first reply has the slot's place; replies after the first stand behind all slots.
  const candidates = [...slots.flatMap((slot) => slot.slice(0, 1)), ...slots.flatMap((slot) => slot.slice(1))];
  number(candidates);
  if (options.edit && !context.policy_only) candidates.push(...(await editAll(scope, options, question, candidates)));
  number(candidates);

  try {
    const judge = context.policy_only ? undefined : options.score;
    if (judge) await scoreAll(scope, judge, question, candidates);
    const selected = await select(context.policy_only ? undefined : options.select, question, candidates);
    selected.is_selected = true;
    return { turn_id, turn_index, candidates, selected };
  } finally {
    // Also of a turn that failed: what was sampled and paid for is not lost.
    recordTurn(scope, options, { turn_id, turn_index }, candidates);
  }
}

function number(candidates: Draft[]): void {
  for (const [index, candidate] of candidates.entries()) candidate.candidate_index = index;
}

async function editAll(
  scope: Scope,
  options: ChooseOptions,
  question: Question,
  candidates: Draft[],
): Promise<Draft[]> {
  const { edit } = options;
  if (!edit) return [];
  const edited = await Promise.all(
    candidates
      .filter((candidate) => candidate.final && candidate.messages.length > 0)
      .map(async (candidate) => {
        const seeds = { place: [candidate.seed, "edit"], calls: 0 };
        const tally: CallTally = { model: undefined, usage: noUsage() };
        try {
          const reply = await currentScope.run({ ...scope, seeds, tally }, () => edit(candidate, question));
          if (reply === null) return [];
          const sample = toSample(reply);
          const made = { seed: candidate.seed, options, model: tally.model, usage: tally.usage, final: true };
          return [{ ...draft(sample, made), metadata: { ...sample.metadata, edited_from: candidate.candidate_index } }];
        } catch {
          // The candidate itself is still there: a failed edit takes nothing away.
          scope.context.signal.throwIfAborted();
          return [];
        }
      }),
  );
  return edited.flat();
}

async function scoreAll(scope: Scope, score: Scorer, question: Question, candidates: Draft[]): Promise<void> {
  const tried = candidates.filter((candidate) => candidate.messages.length > 0 && !candidate.scored);
  const thrown: unknown[] = [];
  const fail = (candidate: Draft, error: unknown) => {
    scope.context.signal.throwIfAborted();
    thrown.push(error);
    candidate.error = { code: codeOf(error) ?? "score_failed", message: messageOf(error) };
  };
  // A judge's calls are not the candidate's: no tally.
  const judging = { ...scope, tally: undefined };
  const waiting: Promise<void>[] = [];
  for (const candidate of tried) {
    try {
      const result = currentScope.run(judging, () => score(candidate, question));
      // Most scorers are plain code, and there are many candidates: nothing is waited for where nothing is promised.
      if (!isPromise(result)) applyScore(candidate, result);
      else {
        const applied = Promise.resolve(result).then((value) => applyScore(candidate, value));
        waiting.push(applied.catch((error: unknown) => fail(candidate, error)));
      }
    } catch (error) {
      waiting.push(Promise.reject(error).catch(() => fail(candidate, error)));
    }
  }
  await Promise.all(waiting);
  if (thrown.length > 0 && thrown.length === tried.length && candidates.every(({ score }) => score === null)) {
    throw turnFailed(question, `scoring failed for every candidate: ${messageOf(thrown[0])}`, thrown[0]);
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && "then" in value;
}

function applyScore(candidate: Draft, result: ScoreResult): void {
  const value = typeof result === "object" && result !== null ? result.score : result;
  const reason = typeof result === "object" ? result?.reason : undefined;
  // What the sampler said of its own reply stays.
  if (reason !== undefined && candidate.reason !== reason) {
    candidate.reason = candidate.reason === undefined ? reason : `${candidate.reason}; ${reason}`;
  }
  if (value === null) return;
  if (typeof value === "number" && Number.isFinite(value)) candidate.score = value;
  else candidate.error = { code: "score_not_finite", message: `the scorer gave ${String(value)}, which is no score` };
}

/** Scored ones first: an unscored candidate is taken only where none has a score, and then only a slot's own answer. */
async function select(given: Selector | undefined, question: Question, candidates: Draft[]): Promise<Draft> {
  const replied = candidates.filter((candidate) => candidate.messages.length > 0);
  const scored = replied.filter((candidate) => candidate.score !== null);
  const eligible = scored.length > 0 ? scored : replied.filter((candidate) => candidate.final);
  if (eligible.length === 0) {
    throw turnFailed(question, ...noReply(candidates));
  }
  const index = given ? await given(eligible, question) : indexOfBest(eligible.map(({ score }) => score));
  if (index === null) throw turnFailed(question, "the selector would take none of the candidates");
  const selected = eligible[index];
  if (!selected) throw turnFailed(question, `the selector chose number ${index} of ${eligible.length} candidates`);
  return selected;
}

/** Why there is no reply at all; when every call failed in one way, that is the cause that programs want to know. */
function noReply(candidates: readonly Draft[]): [what: string, cause?: PairwrightError] {
  const errors = candidates.map(({ error }) => error);
  const first = errors.find((error) => error !== undefined);
  if (first === undefined) return ["no candidate could be sampled"];
  const one = errors.every((error) => error?.code === first.code);
  const what = `no candidate could be sampled: ${first.message}`;
  return one ? [what, new PairwrightError({ code: first.code, what: first.message })] : [what];
}

function turnFailed({ label, turn_index }: Question, what: string, cause?: unknown): PairwrightError {
  return new PairwrightError({ code: "turn_failed", where: `turn ${turn_index} ("${label}")`, what, cause });
}
