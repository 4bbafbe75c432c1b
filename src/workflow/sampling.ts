import { codeOf, messageOf, PairwrightError } from "../lib/errors.ts";
import { hash31 } from "../lib/hash.ts";
import { seededRandom } from "../lib/random.ts";
import { copyMessages, type Message, textOf } from "../records/message.ts";
import { noUsage } from "../records/usage.ts";
import type { Candidate, ChooseOptions, Sample, Sampled, Slot } from "../registry/workflow.ts";
import { type CallTally, currentScope, type Scope } from "./scope.ts";

/** A candidate as it is being made. `final` marks a slot's answer; the tries before it are kept, too. */
export interface Draft extends Candidate {
  final: boolean;
  /** Given along with the sample, so that no scorer is asked. */
  scored: boolean;
}

/** The replies of one slot, the last one its answer. A failed call is a candidate too: one without a reply. */
export async function sampleSlot(
  scope: Scope,
  options: ChooseOptions,
  { turn_index, index }: { turn_index: number; index: number },
): Promise<Draft[]> {
  const { example, seed: runSeed, rep, run_index, signal } = scope.context;
  const seed = hash31(runSeed, example.id, rep, run_index, turn_index, index);
  const slot: Slot = { index, seed, random: seededRandom(seed), turn_index, input: options.input, example, signal };
  const tally: CallTally = { model: undefined, usage: noUsage() };
  try {
    const tags = [`turn ${turn_index}, candidate ${index}`];
    const seeds = { place: [seed], calls: 0 };
    const given = await currentScope.run({ ...scope, tags, seeds, tally }, () =>
      options.sample(copyMessages(options.prompt), slot),
    );
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
export function toSample(reply: Sampled): Sample {
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

export function draft(
  sample: Sample,
  made: { seed: number; options: ChooseOptions; model: string | undefined; usage: Candidate["usage"]; final: boolean },
): Draft {
  const failed = sample.error !== undefined;
  const messages: Message[] = failed ? [] : (sample.messages ?? [{ role: "assistant", content: sample.text ?? "" }]);
  const last = messages.at(-1);
  const scored = typeof sample.score === "number";
  return {
    candidate_index: 0,
    seed: made.seed,
    text: sample.text ?? (last ? textOf(last) : ""),
    messages: copyMessages(messages),
    prompt: sample.prompt ? copyMessages(sample.prompt) : made.options.prompt,
    tools: sample.tools ?? made.options.tools,
    value: sample.value,
    score: scored && Number.isFinite(sample.score) ? (sample.score ?? null) : null,
    reason: sample.reason,
    error: failed ? { code: codeOf(sample.error) ?? "sample_failed", message: messageOf(sample.error) } : undefined,
    finish_reason: sample.finish_reason ?? undefined,
    model: sample.model === undefined ? made.model : sample.model,
    usage: made.usage,
    is_selected: false,
    metadata: sample.metadata ?? {},
    final: made.final,
    scored,
  };
}
