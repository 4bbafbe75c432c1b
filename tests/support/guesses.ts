import { createHash } from "node:crypto";
import { hash31 } from "../../src/lib/hash.ts";
import type { ModelRequest } from "../../src/testing/model-server-reply.ts";

/** A number that is decided by these parts alone. */
function drawn(...parts: unknown[]): number {
  return createHash("sha256").update(JSON.stringify(parts)).digest().readUInt32BE(0);
}

/** The model of these tests: a guess from 0 to 999 that prompt and seed decide, with words that tell it from others. */
export function guessReply({ messages, seed }: Pick<ModelRequest, "messages" | "seed">): string {
  const guess = drawn(messages, seed ?? null) % 1000;
  return `${guess} is what I guess, for the reason number ${drawn(guess, messages, seed) % 100_000} of very many`;
}

/** The seed that the program gives to one candidate of a run with `--seed 0`. */
export function candidateSeed(example_id: string, turn_index: number, candidate_index: number): number {
  return hash31(0, example_id, 0, 0, turn_index, candidate_index);
}

/** The example and the turn that a request of the `guess` workflow is for. */
export function placeOf({ messages }: Pick<ModelRequest, "messages">): { example_id: string; turn: number } {
  const match = /^Question (\S+), turn (\d+)/m.exec(String(messages.at(-1)?.content));
  return { example_id: match?.[1] ?? "", turn: Number(match?.[2]) };
}
