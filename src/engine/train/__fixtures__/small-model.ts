import { seededRandom } from "../../../lib/random.ts";
import type { ModelConfig } from "../../model/model-config.ts";
import { type TrainingData, trainingDataBuilder } from "../training-data.ts";

/** Two layers, two queries a key head: small enough for finite differences. */
export const SMALL: ModelConfig = {
  model_type: "llama",
  vocab_size: 17,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 4,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 100,
  rope_scaling: null,
  attention_bias: "none",
  tie_word_embeddings: true,
};

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
