import { createHash } from "node:crypto";
import {
  type ChatModel,
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
}

/** Proposes one move; gives back every try as a sample, the last one its answer. */
export const chooseMove: Component<"function", typeof options> = {
  description: "one tic-tac-toe move, from a model or at random",
  options,
  build({ options, llm }) {
    if (!options.llm) return async (input: ChooseMoveInput) => [randomMove(input)];
    const model = llm(options.llm);
    // What a policy does by itself includes its bad replies: then nothing is asked twice.
    return (input: ChooseMoveInput, context: RunContext) =>
      askForMove(model, input, context.policy_only ? { ...options, max_retries: 0 } : options);
  },
};

/** A legal move, each as likely as the others, written as a model would write it. */
export function randomMove({ board, prompt, random }: Pick<ChooseMoveInput, "board" | "prompt" | "random">): Sample {
  const moves = legalMoves(board);
  const move = moves[Math.floor(random() * moves.length)];
  if (!move) throw new RangeError("there is no empty square left");
  return { text: formatMove(move), prompt, value: move, model: null };
}

/**
 * Asks until a reply is a legal move or the tries are used up. No try is thrown away: a bad one is a candidate like the
 * others, and what was said about it becomes the prompt of the next one, never of itself. A call that throws is the last try.
 */
export async function askForMove(
  model: Pick<ChatModel, "chat">,
  input: ChooseMoveInput,
  { max_retries, temperature }: { max_retries: number; temperature?: number | undefined },
): Promise<Sample[]> {
  const { seed, signal } = input;
  const samples: Sample[] = [];
  let prompt = input.prompt;
  for (let attempt = 0; attempt <= max_retries; attempt += 1) {
    const asked = model.chat(prompt, { seed: attemptSeed(seed, attempt), temperature, signal });
    const completion = await asked.catch((error: unknown) => ({ error }));
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
