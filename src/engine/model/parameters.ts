import type { ModelConfig } from "./model-config.ts";

/** A float32 tensor: row-major, as Hugging Face stores it (a linear layer's weight is [out, in]). */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A model's weights by Hugging Face's names. */
export type Parameters = ReadonlyMap<string, Tensor>;

/** The linear layers of one block that an adapter can stand on, by their names in PEFT's `target_modules`. */
export const LINEAR_MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] as const;
export type LinearModule = (typeof LINEAR_MODULES)[number];

/** A linear layer's full name without `.weight`, such as `model.layers.0.self_attn.q_proj`. */
export function linearName(layer: number, module: LinearModule): string {
  const part = module === "gate_proj" || module === "up_proj" || module === "down_proj" ? "mlp" : "self_attn";
  return `model.layers.${layer}.${part}.${module}`;
}

/** [out, in] of a linear layer. */
export function linearShape(config: ModelConfig, module: LinearModule): [number, number] {
  const { hidden_size, intermediate_size, head_dim } = config;
  const queries = config.num_attention_heads * head_dim;
  const keys = config.num_key_value_heads * head_dim;
  const shapes: Record<LinearModule, [number, number]> = {
    q_proj: [queries, hidden_size],
    k_proj: [keys, hidden_size],
    v_proj: [keys, hidden_size],
    o_proj: [hidden_size, queries],
    gate_proj: [intermediate_size, hidden_size],
    up_proj: [intermediate_size, hidden_size],
    down_proj: [hidden_size, intermediate_size],
  };
  return shapes[module];
}

/** Every weight that a model of this shape has, in the order of its layers, by Hugging Face's names. */
export function parameterShapes(config: ModelConfig): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const { hidden_size, vocab_size } = config;
  shapes.set("model.embed_tokens.weight", [vocab_size, hidden_size]);
  for (let layer = 0; layer < config.num_hidden_layers; layer += 1) {
    shapes.set(`model.layers.${layer}.input_layernorm.weight`, [hidden_size]);
    for (const module of LINEAR_MODULES) {
      const [out, into] = linearShape(config, module);
      shapes.set(`${linearName(layer, module)}.weight`, [out, into]);
      if (hasBias(config, module)) shapes.set(`${linearName(layer, module)}.bias`, [out]);
    }
    shapes.set(`model.layers.${layer}.post_attention_layernorm.weight`, [hidden_size]);
  }
  shapes.set("model.norm.weight", [hidden_size]);
  if (!config.tie_word_embeddings) shapes.set("lm_head.weight", [vocab_size, hidden_size]);
  return shapes;
}

/** Whether a linear layer of this model adds a bias. */
export function hasBias({ attention_bias }: ModelConfig, module: LinearModule): boolean {
  if (module === "q_proj" || module === "k_proj" || module === "v_proj") return attention_bias !== "none";
  return module === "o_proj" && attention_bias === "qkvo";
}

/** How many numbers a shape holds. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** How many weights a model of this shape has. */
export function parameterCount(config: ModelConfig): number {
  return [...parameterShapes(config).values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
}
