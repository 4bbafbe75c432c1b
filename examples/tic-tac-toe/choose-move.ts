import { createHash } from "node:crypto";
import {
  type ChatModel,
  type Choice,
  type Component,
  llmRef,
  type Message,
  type RunContext,
  type Sample,
  type Slot,
  z,
} from "pairwright";
import { illegalReason, legalMoves, type MoveRequest } from "./board.ts";
import { correction, formatMove, parseMove } from "./prompt.ts";

const options = z.strictObject({
  llm: llmRef().nullish().describe("the model that plays; without one, uniformly random legal moves"),
  max_retries: z
    .int()
    .min(0)
    .default(2)
    .describe("how often an illegal or malformed reply is answered and asked again"),
  temperature: z.number().min(0).max(2).optional().describe("over what the model's own settings say"),
});

/** One slot of a turn: the position, what to ask, and where chance comes from. */
export interface ChooseMoveInput extends MoveRequest, Pick<Slot, "seed" | "random" | "signal"> {
  prompt: Message[];
  /** Several slots of one turn, whose moves are asked for together: a list of samples for each of them comes back. */
  slots?: readonly Slot[] | undefined;
}

/** Proposes one move; gives back every try as a sample, the last one its answer. */
export const chooseMove: Component<"function", typeof options> = {
  description: "one tic-tac-toe move, from a model or at random",
  options,
  build({ options, llm }) {
    if (!options.llm) {
      return async ({ slots, ...input }: ChooseMoveInput) =>
        slots?.map(({ random }) => [randomMove({ ...input, random })]) ?? [randomMove(input)];
    }
    const model = llm(options.llm);
    // What a policy does by itself includes its bad replies: then nothing is asked twice.
    return ({ slots, ...input }: ChooseMoveInput, context: RunContext) => {
      const settings = context.policy_only ? { ...options, max_retries: 0 } : options;
      return slots === undefined ? askForMove(model, input, settings) : askForMoves(model, input, slots, settings);
    };
  },
};

/** A legal move, each as likely as the others, written as a model would write it. */
export function randomMove({ board, prompt, random }: Pick<ChooseMoveInput, "board" | "prompt" | "random">): Sample {
  const moves = legalMoves(board);
  const move = moves[Math.floor(random() * moves.length)];
  if (!move) throw new RangeError("there is no empty square left");
  return { text: formatMove(move), prompt, value: move, model: null };
}

interface AskSettings {
  max_retries: number;
  temperature?: number | undefined;
}

/**
 * Asks until a reply is a legal move or the tries are used up. No try is thrown away: a bad one is a candidate like the
 * others, and what was said about it becomes the prompt of the next one, never of itself. A call that throws is the last try.
 * `first` is the reply to the first try, where that was asked for already.
 */
export async function askForMove(
  model: Pick<ChatModel, "chat">,
  input: ChooseMoveInput,
  { max_retries, temperature }: AskSettings,
  first?: Choice,
): Promise<Sample[]> {
  const { seed, signal } = input;
  const samples: Sample[] = [];
  let prompt = input.prompt;
  for (let attempt = 0; attempt <= max_retries; attempt += 1) {
    const asked =
      attempt === 0 && first !== undefined
        ? first
        : model
            .chat(prompt, { seed: attemptSeed(seed, attempt), temperature, signal })
            .catch((error: unknown) => ({ error }));
    const completion = await asked;
    if ("error" in completion) {
      signal.throwIfAborted();
      samples.push({ prompt, error: completion.error });
      break;
    }
    const { text, message, finish_reason } = completion;
    const parsed = parseMove(text);
    const reason = parsed.move ? illegalReason(input.board, parsed.move) : parsed.reason;
    samples.push({ messages: [message], text, prompt, value: parsed.move, finish_reason, reason });
    if (reason === undefined) break;
    prompt = [...prompt, { role: "assistant", content: text }, correction(input, reason)];
  }
  return samples;
}

/**
 * The same for several slots, whose first tries are one request with a seed for each. A slot for which no reply came, since the
 * server gives fewer than it is asked for, is asked for by itself.
 */
export async function askForMoves(
  model: Pick<ChatModel, "chat">,
  input: Omit<ChooseMoveInput, "slots">,
  slots: readonly Slot[],
  settings: AskSettings,
): Promise<Sample[][]> {
  const { prompt, signal } = input;
  const seeds = slots.map(({ seed }) => seed);
  const { temperature } = settings;
  const { choices } = await model.chat(prompt, { n: slots.length, seeds, temperature, signal });
  return Promise.all(
    slots.map(({ seed, random }, place) => askForMove(model, { ...input, seed, random }, settings, choices[place])),
  );
}

/** The candidate's own seed for its first try, and another 31 bits made from it for each one after. */
export function attemptSeed(seed: number, attempt: number): number {
  if (attempt === 0) return seed;
  return (
    createHash("sha256")
      .update(JSON.stringify([seed, attempt]))
      .digest()
      .readUInt32BE(0) & 0x7fffffff
  );
}
