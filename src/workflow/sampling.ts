import { codeOf, messageOf, PairwrightError } from "../lib/errors.ts";
import { hash31 } from "../lib/hash.ts";
import { seededRandom } from "../lib/random.ts";
import type { Message } from "../records/message.ts";
import { copyMessages, textOf } from "../records/message-text.ts";
import { noUsage } from "../records/usage.ts";
import type { Candidate, ChooseOptions, Sample, Sampled, Slot } from "../registry/workflow.ts";
import { type CallTally, currentScope, type Scope } from "./scope.ts";

/** A candidate as it is being made. `final` marks a slot's answer; the tries before it are kept, too. */
export interface Draft extends Candidate {
  final: boolean;
  /** Given along with the sample, so that no scorer is asked. */
  scored: boolean;
}

/** The replies of each slot, the last one its answer. A failed call is a candidate too: one without a reply. */
export async function sampleSlots(
  scope: Scope,
  options: ChooseOptions,
  { turn_index, count }: { turn_index: number; count: number },
): Promise<Draft[][]> {
  const slots = Array.from({ length: count }, (_, index) => slotOf(scope, options, { turn_index, index }));
  const one = (slot: Slot) => ({
    slots: [slot],
    draw: async () => [await options.sample(copyMessages(options.prompt), slot)],
  });
  const { together } = options;
  // A lone candidate is drawn as it is where a model is measured by itself.
  if (together === undefined || count === 1) {
    return (await Promise.all(slots.map((slot) => drawSlots(scope, options, one(slot))))).flat();
  }
  const total = together.sizes.reduce((sum, size) => sum + size, 0);
  if (total !== count || !together.sizes.every((size) => Number.isInteger(size) && size > 0)) {
    throw badSizes(together.sizes, count);
  }
  let from = 0;
  const groups = together.sizes.map((size) => {
    const group = slots.slice(from, from + size);
    from += size;
    return { slots: group, draw: async () => together.sample(copyMessages(options.prompt), group) };
  });
  return (await Promise.all(groups.map((group) => drawSlots(scope, options, group)))).flat();
}

function slotOf(scope: Scope, { input }: ChooseOptions, { turn_index, index }: { turn_index: number; index: number }) {
  const { example, seed: runSeed, rep, run_index, signal } = scope.context;
  const seed = hash31(runSeed, example.id, rep, run_index, turn_index, index);
  return { index, seed, random: seededRandom(seed), turn_index, input, example, signal };
}

interface SlotGroup {
  slots: readonly Slot[];
  draw(): Promise<readonly (Sampled | Sampled[])[]>;
}

/** What one call draws for its slots. Its usage stands at the first slot's answer: it is one sum. */
async function drawSlots(scope: Scope, options: ChooseOptions, { slots, draw }: SlotGroup): Promise<Draft[][]> {
  const [first] = slots;
  if (first === undefined) return [];
  const { turn_index, index, seed } = first;
  const { signal } = scope.context;
  const tally: CallTally = { model: undefined, usage: noUsage() };
  const last = index + slots.length - 1;
  const tags = [`turn ${turn_index}, ${last === index ? `candidate ${index}` : `candidates ${index} to ${last}`}`];
  const made = (slot: Slot) => ({ seed: slot.seed, options, model: tally.model });
  const usageOf = (slot: Slot) => (slot === first ? tally.usage : noUsage());
  const failed = (slot: Slot, error: unknown) => {
    signal.throwIfAborted();
    return [draft({ error }, { ...made(slot), usage: usageOf(slot), final: true })];
  };
  try {
    const seeds = { place: [seed], calls: 0 };
    const given = await currentScope.run({ ...scope, tags, seeds, tally }, draw);
    if (!Array.isArray(given) || given.length !== slots.length) throw tooFew(given, slots.length);
    return slots.map((slot, place) => {
      try {
        const replies = [given[place] as Sampled | Sampled[]].flat().map(toSample);
        if (replies.length === 0) throw badSample("an empty list of replies");
        return replies.map((reply, at) => {
          const final = at === replies.length - 1;
          // The calls of all tries are one sum: it stands at the slot's answer.
          return draft(reply, { ...made(slot), usage: final ? usageOf(slot) : noUsage(), final });
        });
      } catch (error) {
        return failed(slot, error);
      }
    });
  } catch (error) {
    return slots.map((slot) => failed(slot, error));
  }
}

function tooFew(given: unknown, wanted: number): PairwrightError {
  const gave = Array.isArray(given) ? `${given.length} results` : `no list but ${typeof given}`;
  return new PairwrightError({
    code: "bad_sample",
    what: `together.sample gave ${gave} for ${wanted} slots`,
    fix: "return a list with one result for each slot that it was given, in their order",
  });
}

function badSizes(sizes: readonly number[], count: number): PairwrightError {
  return new PairwrightError({
    code: "bad_sizes",
    where: "together.sizes",
    what: `[${sizes.join(", ")}] does not add up to the ${count} candidates of the turn`,
    fix: "say how many slots each call is for, so that all of them have one",
  });
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
