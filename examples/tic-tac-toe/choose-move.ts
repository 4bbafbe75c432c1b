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
 * `tried` are the samples of tries that were made already.
 */
export async function askForMove(
  model: Pick<ChatModel, "chat">,
  input: ChooseMoveInput,
  settings: AskSettings,
  tried: readonly Sample[] = [],
): Promise<Sample[]> {
  const { seed, signal } = input;
  const samples = [...tried];
  while (!isSettled(samples, settings)) {
    const prompt = nextPrompt(input, samples.at(-1));
    const asked = model.chat(prompt, {
      seed: attemptSeed(seed, samples.length),
      temperature: settings.temperature,
      signal,
    });
    const completion = await asked.catch((error: unknown) => ({ error }));
    if ("error" in completion) {
      signal.throwIfAborted();
      samples.push({ prompt, error: completion.error });
      break;
    }
    samples.push(sampleOf(completion, input, prompt));
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
  const tried = slots.map((_, place) =>
    choices.slice(place, place + 1).map((choice) => sampleOf(choice, input, prompt)),
  );
  // Most often there is nothing to wait for.
  if (tried.every((samples) => isSettled(samples, settings))) return tried;
  return Promise.all(
    slots.map(({ seed, random }, place) => askForMove(model, { ...input, seed, random }, settings, tried[place])),
  );
}

function isSettled(samples: readonly Sample[], { max_retries }: AskSettings): boolean {
  const last = samples.at(-1);
  return samples.length > max_retries || (last !== undefined && last.reason === undefined);
}

function nextPrompt(input: Omit<ChooseMoveInput, "slots">, last: Sample | undefined): Message[] {
  if (last?.prompt === undefined) return input.prompt;
  const { prompt, text = "", reason = "" } = last;
  return [...prompt, { role: "assistant", content: text }, correction(input, reason)];
}

function sampleOf({ text, message, finish_reason }: Choice, { board }: MoveRequest, prompt: Message[]): Sample {
  const parsed = parseMove(text);
  const reason = parsed.move ? illegalReason(board, parsed.move) : parsed.reason;
  return { messages: [message], text, prompt, value: parsed.move, finish_reason, reason };
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
