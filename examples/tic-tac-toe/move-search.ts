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
});

/** How this search calls its function: the context may be left out, since a function finds the running example itself. */
interface Calls {
  propose(input: ChooseMoveInput, context?: RunContext): unknown;
}

/** Several proposals for one move, each with its own seed, of one function or of several. */
export const multiCandidateMoveSearch: Component<"search", typeof options> = {
  description: "several proposals of one tic-tac-toe move",
  options,
  build({ options: { others, ...first }, function: functionNamed }) {
    // One entry a candidate.
    const proposers = [first, ...others].flatMap(({ choose_move_fn: name, num_candidates }) => {
      const propose: Calls["propose"] = functionNamed(name);
      return Array.from({ length: num_candidates }, () => ({ name, propose }));
    });
    return {
      candidates: proposers.length,
      async sample(prompt, { index, input, seed, random, signal }: Slot & { input: MoveRequest }) {
        const { board, player } = input;
        const { name, propose } = proposers[index] ?? unknownSlot(index);
        const samples = await propose({ board, player, prompt, seed, random, signal });
        if (isSampled(samples) || (Array.isArray(samples) && samples.every(isSampled))) return samples;
        throw new PairwrightError({
          code: "bad_samples",
          where: name,
          what: "a function that proposes moves gives back a reply or a list of replies, and this one did not",
          fix: "name a function of the type choose_move, or return text or samples from your own",
        });
      },
    };
  },
};

function unknownSlot(index: number): never {
  throw new RangeError(`there is no proposal ${index}`);
}

function isSampled(value: unknown): value is Sampled {
  if (typeof value === "string") return true;
  return typeof value === "object" && value !== null && ("text" in value || "messages" in value || "message" in value);
}
