import type { ModelConfig } from "../../model/model-config.ts";
import type { Parameters } from "../../model/parameters.ts";

/**
 * A Llama forward pass as loops over float64 numbers, made from the papers and not from the graph: token ids to the logits
 * after each of them. No cache, one text.
 */
export function plainForward(config: ModelConfig, parameters: Parameters, tokens: readonly number[]): number[][] {
  const { hidden_size: d, num_attention_heads: H, num_key_value_heads: KV, head_dim: w, rms_norm_eps } = config;
  const data = (name: string) => parameters.get(name)!.data;
  const norm = (x: number[], name: string) => {
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + rms_norm_eps);
    return x.map((value, at) => value * scale * data(name)[at]!);
  };
  const layer = (x: number[], name: string) => {
    const weight = data(`${name}.weight`);
    const bias = parameters.get(`${name}.bias`)?.data;
    return Array.from({ length: weight.length / x.length }, (_, row) =>
      x.reduce((sum, value, at) => sum + value * weight[row * x.length + at]!, bias?.[row] ?? 0),
    );
  };
  let states = tokens.map((id) => Array.from(data("model.embed_tokens.weight").subarray(id * d, (id + 1) * d)));
  for (let index = 0; index < config.num_hidden_layers; index += 1) {
    const at = `model.layers.${index}`;
    const normed = states.map((x) => norm(x, `${at}.input_layernorm.weight`));
    const queries = normed.map((x, t) => turn(config, layer(x, `${at}.self_attn.q_proj`), t));
    const keys = normed.map((x, t) => turn(config, layer(x, `${at}.self_attn.k_proj`), t));
    const values = normed.map((x) => layer(x, `${at}.self_attn.v_proj`));
    states = states.map((x, t) => {
      const attended = Array.from({ length: H }, (_, head) => {
        const shared = Math.floor(head / (H / KV));
        const slice = (of: number[], which: number) => of.slice(which * w, (which + 1) * w);
        const scores = keys
          .slice(0, t + 1)
          .map((key) => dot(slice(queries[t]!, head), slice(key, shared)) / Math.sqrt(w));
        const weights = softmax(scores);
        return Array.from({ length: w }, (_, i) =>
          weights.reduce((sum, weight, s) => sum + weight * values[s]![shared * w + i]!, 0),
        );
      }).flat();
      const middle = sum(x, layer(attended, `${at}.self_attn.o_proj`));
      const inner = norm(middle, `${at}.post_attention_layernorm.weight`);
      const up = layer(inner, `${at}.mlp.up_proj`);
      const gated = layer(inner, `${at}.mlp.gate_proj`).map((g, i) => (g / (1 + Math.exp(-g))) * up[i]!);
      return sum(middle, layer(gated, `${at}.mlp.down_proj`));
    });
  }
  const head = config.tie_word_embeddings ? "model.embed_tokens" : "lm_head";
  return states.map((x) => layer(norm(x, "model.norm.weight"), head));
}

/** Rotary positions, half against half. */
function turn(config: ModelConfig, x: number[], position: number): number[] {
  const { head_dim: w } = config;
  return x.map((value, at) => {
    const within = at % w;
    const pair = within % (w / 2);
    const angle = position * frequency(config, pair);
    const other = within < w / 2 ? -x[at + w / 2]! : x[at - w / 2]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

function frequency({ head_dim, rope_theta, rope_scaling: scaling }: ModelConfig, pair: number): number {
  const plain = 1 / rope_theta ** ((2 * pair) / head_dim);
  if (scaling === null) return plain;
  if (scaling.rope_type === "linear") return plain / scaling.factor;
  const wavelength = (2 * Math.PI) / plain;
  const long = scaling.original_max_position_embeddings / scaling.low_freq_factor;
  const short = scaling.original_max_position_embeddings / scaling.high_freq_factor;
  if (wavelength > long) return plain / scaling.factor;
  if (wavelength < short) return plain;
  const smooth =
    (scaling.original_max_position_embeddings / wavelength - scaling.low_freq_factor) /
    (scaling.high_freq_factor - scaling.low_freq_factor);
  return ((1 - smooth) * plain) / scaling.factor + smooth * plain;
}

const dot = (a: number[], b: number[]) => a.reduce((total, value, at) => total + value * b[at]!, 0);
const sum = (a: number[], b: number[]) => a.map((value, at) => value + b[at]!);

function softmax(scores: number[]): number[] {
  const most = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - most));
  const total = weights.reduce((so_far, weight) => so_far + weight, 0);
  return weights.map((weight) => weight / total);
}
