import { type Component, functionRef, PairwrightError, type RunContext, type Sampled, type Slot, z } from "pairwright";
import type { MoveRequest } from "./board.ts";
import type { ChooseMoveInput } from "./choose-move.ts";

const options = z.strictObject({
  choose_move_fn: functionRef().describe("the function that proposes one move"),
  num_candidates: z.int().min(1).max(1024).default(3).describe("how many moves to propose at each turn, in parallel"),
  others: z
    .array(z.strictObject({ choose_move_fn: functionRef(), num_candidates: z.int().min(1).max(1024) }))
    .default([])
    .describe("further functions, whose proposals stand behind the first one's: hotter, or of another model"),
  together: z
    .boolean()
    .default(false)
    .describe(
      "one call of each function for all its proposals, where the model's server takes `n`; if it fails, all do",
    ),
});

/** How this search calls its function: the context may be left out, since a function finds the running example itself. */
interface Calls {
  propose(input: ChooseMoveInput, context?: RunContext): unknown;
}

type MoveSlot = Slot & { input: MoveRequest };

/** Several proposals for one move, each with its own seed, of one function or of several. */
export const multiCandidateMoveSearch: Component<"search", typeof options> = {
  description: "several proposals of one tic-tac-toe move",
  options,
  build({ options: { others, together, ...first }, function: functionNamed }) {
    const groups = [first, ...others].map(({ choose_move_fn: name, num_candidates: size }) => {
      const propose: Calls["propose"] = functionNamed(name);
      return { name, propose, size };
    });
    // One entry a candidate.
    const proposers = groups.flatMap((group) => Array.from({ length: group.size }, () => group));
    return {
      candidates: proposers.length,
      async sample(prompt, { index, input, seed, random, signal }: MoveSlot) {
        const { board, player } = input;
        const { name, propose } = proposers[index] ?? unknownSlot(index);
        const samples = await propose({ board, player, prompt, seed, random, signal });
        if (isReply(samples)) return samples;
        throw noReplies(name);
      },
      ...(together && {
        together: {
          sizes: groups.map(({ size }) => size),
          async sample(prompt, slots: readonly MoveSlot[]) {
            const { index, input, seed, random, signal } = slots[0] ?? unknownSlot(0);
            const { board, player } = input;
            const { name, propose } = proposers[index] ?? unknownSlot(index);
            const samples = await propose({ board, player, prompt, seed, random, signal, slots });
            if (Array.isArray(samples) && samples.every(isReply)) return samples;
            throw noReplies(name);
          },
        },
      }),
    };
  },
};

function unknownSlot(index: number): never {
  throw new RangeError(`there is no proposal ${index}`);
}

function noReplies(name: string): PairwrightError {
  return new PairwrightError({
    code: "bad_samples",
    where: name,
    what: "a function that proposes moves gives back a reply or a list of replies, and this one did not",
    fix: "name a function of the type choose_move, or return text or samples from your own",
  });
}

function isReply(value: unknown): value is Sampled | Sampled[] {
  return isSampled(value) || (Array.isArray(value) && value.every(isSampled));
}

/** What a sample has of its own: a reply in one of its forms, or what was thrown in its place. */
const FORMS = ["text", "messages", "message", "error"];

function isSampled(value: unknown): value is Sampled {
  if (typeof value === "string") return true;
  return typeof value === "object" && value !== null && FORMS.some((form) => form in value);
}
