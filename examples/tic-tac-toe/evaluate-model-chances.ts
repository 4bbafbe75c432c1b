import { availableParallelism } from "node:os";
import type { Message } from "pairwright";
import {
  createRowEncoder,
  openChatTemplate,
  openSequenceScorer,
  openTokenizer,
  readModelFolder,
  trainingDataBuilder,
} from "pairwright/engine";
import { type MoveRequest, SQUARES } from "./board.ts";
import { formatMove, movePrompt } from "./prompt.ts";

/** A prompt, and a reply whose probability is asked. */
export interface Reply {
  prompt: Message[];
  completion: string;
}

/** Tokens that are computed at a time. */
const MAX_TOKENS = 1024;

/** How likely a model is to give just these replies, end included, at temperature 1. Computed, not sampled. */
export async function chancesOf(
  dir: string,
  replies: readonly Reply[],
  { threads = availableParallelism() } = {},
): Promise<number[]> {
  const { config, parameters } = await readModelFolder(dir);
  const max_length = config.max_position_embeddings;
  const tokenizer = await openTokenizer(dir);
  const template = await openChatTemplate(dir);
  const encoder = createRowEncoder({ tokenizer, template, max_length, path: dir });
  const builder = trainingDataBuilder();
  for (const [index, reply] of replies.entries()) {
    const { row } = encoder.encode("sft", { line: index + 1, row: reply });
    if (row === null) throw new RangeError(`${dir}: a prompt of this game is longer than the model's context`);
    builder.target(index, row.prompt_ids, row.completion_ids);
  }
  const { data } = builder;
  const scorer = await openSequenceScorer({
    config,
    weights: parameters,
    max_length,
    max_tokens: MAX_TOKENS,
    chunks: Math.ceil((MAX_TOKENS * config.vocab_size) / 2 ** 24),
    threads,
  });
  try {
    const scores = await scorer.score(data, data.sequences.keys());
    return data.targets.map(({ sequence }) => Math.exp(scores.get(sequence) ?? Number.NaN));
  } finally {
    await scorer.release();
  }
}

/**
 * The probability of each of `SQUARES` as the reply in each position, written as `formatMove` writes it. What is left to 1 is any
 * other text, also one that says a move in other words.
 */
export async function moveChances(dir: string, positions: readonly MoveRequest[]): Promise<number[][]> {
  const completions = SQUARES.map(formatMove);
  const replies = positions.flatMap((position) => {
    const prompt = movePrompt(position);
    return completions.map((completion) => ({ prompt, completion }));
  });
  const chances = await chancesOf(dir, replies);
  return positions.map((_, index) => chances.slice(index * SQUARES.length, (index + 1) * SQUARES.length));
}
