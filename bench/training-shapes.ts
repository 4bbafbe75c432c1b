import type { ModelConfig } from "../src/engine/model/model-config.ts";
import { type TrainingData, trainingDataBuilder } from "../src/engine/train/training-data.ts";
import { seededRandom } from "../src/lib/random.ts";

/** Shapes that are measured, with random weights and tokens. */
export const MODELS = {
  "115k": shape({ vocab_size: 99, hidden_size: 64, num_hidden_layers: 2, heads: [4, 4], intermediate_size: 192 }),
  "0.8M": shape({ vocab_size: 128, hidden_size: 128, num_hidden_layers: 4, heads: [4, 2], intermediate_size: 384 }),
  "135M": shape({
    vocab_size: 49_152,
    hidden_size: 576,
    num_hidden_layers: 30,
    heads: [9, 3],
    intermediate_size: 1536,
  }),
};
export type ModelName = keyof typeof MODELS;

interface Sizes {
  vocab_size: number;
  hidden_size: number;
  num_hidden_layers: number;
  heads: [number, number];
  intermediate_size: number;
}

function shape({ heads: [num_attention_heads, num_key_value_heads], ...sizes }: Sizes): ModelConfig {
  return {
    model_type: "llama",
    ...sizes,
    num_attention_heads,
    num_key_value_heads,
    head_dim: sizes.hidden_size / num_attention_heads,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    rope_scaling: null,
    attention_bias: "none",
    tie_word_embeddings: true,
  };
}

/** What each case trains on: `pairs` pairs of a prompt and two replies, or `rows` prompts with a reply to learn. */
export interface CaseData {
  prompts: number;
  prompt: number;
  reply: number;
  /** Rejected replies to each prompt, all against one chosen reply; 0: the reply is learned by likelihood. */
  rejected: number;
}

export function randomData({ prompts, prompt, reply, rejected }: CaseData, vocabulary: number): TrainingData {
  const random = seededRandom(1);
  const ids = (count: number) => Array.from({ length: count }, () => Math.floor(random() * vocabulary));
  const builder = trainingDataBuilder();
  for (let row = 1; row <= prompts; row += 1) {
    const [asked, chosen] = [ids(prompt), ids(reply)];
    if (rejected === 0) builder.target(row, asked, chosen);
    for (let other = 0; other < rejected; other += 1) builder.pair(row, asked, chosen, ids(reply));
  }
  return builder.data;
}
