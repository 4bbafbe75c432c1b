/** How rotary positions are stretched beyond the length a model was made with. `null`: not at all. */
export type RopeScaling =
  | { rope_type: "linear"; factor: number }
  | {
      rope_type: "llama3";
      factor: number;
      low_freq_factor: number;
      high_freq_factor: number;
      original_max_position_embeddings: number;
    };

/** Which of the attention's projections add a bias: none (Llama), q, k and v (Qwen2), or all four (Llama with `attention_bias`). */
export type AttentionBias = "none" | "qkv" | "qkvo";

/** The shape of a Llama-family model: the names of Hugging Face's config.json, every default filled in. */
export interface ModelConfig {
  model_type: "llama" | "qwen2" | "mistral";
  vocab_size: number;
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
  head_dim: number;
  max_position_embeddings: number;
  rms_norm_eps: number;
  rope_theta: number;
  rope_scaling: RopeScaling | null;
  attention_bias: AttentionBias;
  tie_word_embeddings: boolean;
}
