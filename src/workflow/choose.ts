import { codeOf, messageOf, PairwrightError } from "../lib/errors.ts";
import { hash31, sha256 } from "../lib/hash.ts";
import { indexOfBest } from "../lib/index-of-best.ts";
import { seededRandom } from "../lib/random.ts";
import { type Message, textOf } from "../records/message.ts";
import { noUsage } from "../records/usage.ts";
import type {
  Candidate,
  ChooseOptions,
  Question,
  Sample,
  Sampled,
  ScoreResult,
  Scorer,
  Selector,
  Slot,
  Turn,
} from "../registry/workflow.ts";
import { stepUsage } from "./instrument.ts";
import { type CallTally, currentScope, type Scope } from "./scope.ts";

const DEFAULT_STEP_NAME = "dpo_candidate_move";

/** A candidate as it is being made. `final` marks a slot's answer; the tries before it are kept, too. */
interface Draft extends Candidate {
  final: boolean;
  /** Given along with the sample, so that no scorer is asked. */
  scored: boolean;
}

/** One decision: sample in parallel, edit, score, select, record. The contract is that of `RunContext.choose`. */
export async function choose(scope: Scope, turn_index: number, label: string, options: ChooseOptions): Promise<Turn> {
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

  const slots = await Promise.all(
    Array.from({ length: count }, (_, index) => sampleSlot(scope, options, { turn_index, index })),
  );
  // A slot's first reply has the slot's place; replies after the first stand behind all slots.
  const candidates = [...slots.flatMap((slot) => slot.slice(0, 1)), ...slots.flatMap((slot) => slot.slice(1))];
  if (options.edit && !context.policy_only) candidates.push(...(await editAll(scope, options, question, candidates)));
  for (const [index, candidate] of candidates.entries()) candidate.candidate_index = index;

  try {
    const judge = context.policy_only ? undefined : options.score;
    if (judge) await scoreAll(scope, judge, question, candidates);
    const selected = await select(context.policy_only ? undefined : options.select, question, candidates);
    selected.is_selected = true;
    return { turn_id, turn_index, candidates, selected };
  } finally {
    // Also of a turn that failed: what was sampled and paid for is not lost.
    record(scope, options, { turn_id, turn_index }, candidates);
  }
}

/** The replies of one slot, the last one its answer. A failed call is a candidate too: one without a reply. */
async function sampleSlot(
  scope: Scope,
  options: ChooseOptions,
  { turn_index, index }: { turn_index: number; index: number },
): Promise<Draft[]> {
  const { example, seed: runSeed, rep, run_index, signal } = scope.context;
  const seed = hash31(runSeed, example.id, rep, run_index, turn_index, index);
  const slot: Slot = { index, seed, random: seededRandom(seed), turn_index, input: options.input, example, signal };
  const tally: CallTally = { model: null, usage: noUsage() };
  try {
    const tags = [`turn ${turn_index}, candidate ${index}`];
    const given = await currentScope.run({ ...scope, tags, tally }, () => options.sample(options.prompt, slot));
    const replies = (Array.isArray(given) ? given : [given]).map(toSample);
    if (replies.length === 0) throw badSample("an empty list of replies");
    return replies.map((reply, at) => {
      const final = at === replies.length - 1;
      // The calls of all tries are one sum: it stands at the slot's answer.
      return draft(reply, {
        seed,
        options,
        model: tally.model,
        usage: final ? tally.usage : noUsage(),
        final,
      });
    });
  } catch (error) {
    signal.throwIfAborted();
    return [draft({ error }, { seed, options, model: tally.model, usage: tally.usage, final: true })];
  }
}

/** A sampler is another's code: what is no reply is told as such, and costs its candidate. */
function toSample(reply: Sampled): Sample {
  if (typeof reply === "string") return { text: reply };
  if (typeof reply !== "object" || reply === null) throw badSample(reply === null ? "null" : typeof reply);
  if ("choices" in reply) {
    const metadata = reply.refusal ? { metadata: { refusal: true } } : {};
    return { messages: [reply.message], finish_reason: reply.finish_reason, ...metadata };
  }
  if (reply.error !== undefined) return reply;
  if (reply.messages === undefined && typeof reply.text !== "string") throw badSample("neither text nor messages");
  if (reply.messages && !reply.messages.some(({ role }) => role === "assistant")) {
    throw badSample("messages of which none is the assistant's");
  }
  return reply;
}

function badSample(gave: string): PairwrightError {
  return new PairwrightError({
    code: "bad_sample",
    what: `sample gave ${gave}`,
    fix: "return a text, a model's completion, or a Sample with text or messages",
  });
}

function draft(
  sample: Sample,
  made: { seed: number; options: ChooseOptions; model: string | null; usage: Candidate["usage"]; final: boolean },
): Draft {
  const failed = sample.error !== undefined;
  const messages: Message[] = failed ? [] : (sample.messages ?? [{ role: "assistant", content: sample.text ?? "" }]);
  const last = messages.at(-1);
  const scored = typeof sample.score === "number";
  return {
    candidate_index: 0,
    seed: made.seed,
    text: sample.text ?? (last ? textOf(last) : ""),
    messages,
    prompt: sample.prompt ?? made.options.prompt,
    tools: sample.tools ?? made.options.tools,
    value: sample.value,
    score: scored && Number.isFinite(sample.score) ? (sample.score ?? null) : null,
    reason: sample.reason,
    error: failed ? { code: codeOf(sample.error) ?? "sample_failed", message: messageOf(sample.error) } : undefined,
    finish_reason: sample.finish_reason ?? undefined,
    model: made.model,
    usage: made.usage,
    is_selected: false,
    metadata: sample.metadata ?? {},
    final: made.final,
    scored,
  };
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
        const tally: CallTally = { model: null, usage: noUsage() };
        try {
          const reply = await currentScope.run({ ...scope, tally }, () => edit(candidate, question));
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
  await Promise.all(
    tried.map(async (candidate) => {
      try {
        // A judge's calls are not the candidate's: no tally.
        const result = await currentScope.run({ ...scope, tally: undefined }, () => score(candidate, question));
        applyScore(candidate, result);
      } catch (error) {
        scope.context.signal.throwIfAborted();
        thrown.push(error);
        candidate.error = { code: codeOf(error) ?? "score_failed", message: messageOf(error) };
      }
    }),
  );
  if (thrown.length > 0 && thrown.length === tried.length && candidates.every(({ score }) => score === null)) {
    throw turnFailed(question, `scoring failed for every candidate: ${messageOf(thrown[0])}`, thrown[0]);
  }
}

function applyScore(candidate: Draft, result: ScoreResult): void {
  const value = typeof result === "object" && result !== null ? result.score : result;
  if (typeof result === "object" && result?.reason !== undefined) {
    // What the sampler said of its own reply stays.
    candidate.reason = candidate.reason === undefined ? result.reason : `${candidate.reason}; ${result.reason}`;
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

function record(
  scope: Scope,
  options: ChooseOptions,
  turn: { turn_id: string; turn_index: number },
  candidates: Draft[],
): void {
  for (const candidate of candidates) {
    const { candidate_index, score, usage } = candidate;
    scope.log.push(scope, {
      event_type: options.event_type ?? "TTC_END",
      name: options.step_name ?? DEFAULT_STEP_NAME,
      data: { ...turn, candidate_index, input: candidate.prompt, output: outputOf(candidate), score },
      metadata: { ...candidate.metadata, ...options.describe?.(candidate, turn), ...ownMetadata(candidate) },
      ...(usage.llm_calls > 0 && { usage_info: stepUsage(usage) }),
    });
  }
}

/** A plain reply as its text, anything richer as messages, nothing as null. */
function outputOf({ messages }: Candidate): string | Message[] | null {
  const [only, ...others] = messages;
  if (!only) return null;
  const plain = others.length === 0 && only.role === "assistant" && typeof only.content === "string";
  const bare = plain && !only.tool_calls && !only.reasoning && !only.name;
  return bare && typeof only.content === "string" ? only.content : messages;
}

function ownMetadata(candidate: Draft): Record<string, unknown> {
  const { is_selected, seed, model, reason, finish_reason, error, tools } = candidate;
  return {
    is_selected,
    seed,
    model,
    ...(reason !== undefined && { reason }),
    ...(finish_reason !== undefined && { finish_reason }),
    ...(error !== undefined && { error }),
    ...(tools !== undefined && { tools }),
  };
}
