import type { ModelConfig } from "../model/model-config.ts";

/** A Llama of two layers, two queries a key head, small enough to read by eye; what a test is about goes in `changes`. */
export function llamaConfig(changes: Partial<ModelConfig> = {}): ModelConfig {
  return {
    model_type: "llama",
    vocab_size: 24,
    hidden_size: 16,
    intermediate_size: 20,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 4,
    max_position_embeddings: 64,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    rope_scaling: null,
    attention_bias: "none",
    tie_word_embeddings: true,
    ...changes,
  };
}
