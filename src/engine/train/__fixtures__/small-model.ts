import { seededRandom } from "../../../lib/random.ts";
import { llamaConfig } from "../../__fixtures__/llama-config.ts";
import { type TrainingData, trainingDataBuilder } from "../training-data.ts";

/** Two layers, two queries a key head: small enough for finite differences. */
export const SMALL = llamaConfig({ vocab_size: 17, intermediate_size: 24, rope_theta: 100 });

/** Ten pairs over three prompts and a lone one, replies of one to five tokens; and the chosen replies as targets. */
export function smallData(vocabulary = SMALL.vocab_size): TrainingData {
  const random = seededRandom(5);
  const ids = (count: number) => Array.from({ length: count }, () => Math.floor(random() * vocabulary));
  const builder = trainingDataBuilder();
  let row = 0;
  for (const [length, rejected] of [
    [4, 4],
    [7, 3],
    [2, 2],
    [5, 1],
  ] as const) {
    const prompt = ids(length);
    const best = ids(3);
    for (let index = 0; index < rejected; index += 1) {
      row += 1;
      builder.pair(row, prompt, best, ids(1 + ((index + length) % 5)));
    }
    builder.target(row, prompt, best);
  }
  return builder.data;
}

/** Replies of ten tokens or so to a prompt of twenty: long enough for attention to take them apart. */
export function longReplies(vocabulary = SMALL.vocab_size): TrainingData {
  const random = seededRandom(6);
  const ids = (count: number) => Array.from({ length: count }, () => Math.floor(random() * vocabulary));
  const builder = trainingDataBuilder();
  const [prompt, best] = [ids(20), ids(12)];
  for (const length of [12, 9, 12, 7, 11]) builder.pair(length, prompt, best, ids(length));
  builder.target(1, prompt, best);
  return builder.data;
}
