import type { ModelConfig } from "../../src/engine/model/model-config.ts";
import type { Parameters, Tensor } from "../../src/engine/model/parameters.ts";
import { f32Bytes, type TestGguf, type TestValue } from "./gguf-file.ts";

/** A byte-level vocabulary: three control tokens, 15 characters, some merges. */
export const TOKENS = [
  "<|endoftext|>",
  "<|im_start|>",
  "<|im_end|>",
  ..."abehlorwĠĊ1239",
  "he",
  "ll",
  "hell",
  "hello",
  "Ġw",
  "Ġwo",
  "<think>",
];
export const MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "Ġw o"];
export const TEMPLATE = "{% for message in messages %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}";

/** The metadata of a tokenizer as llama.cpp's converter writes it. */
export function tokenizerMetadata(pre: string): Record<string, TestValue> {
  return {
    "tokenizer.ggml.model": { text: "gpt2" },
    "tokenizer.ggml.pre": { text: pre },
    "tokenizer.ggml.tokens": { texts: TOKENS },
    "tokenizer.ggml.token_type": { i32s: TOKENS.map((_, id) => (id < 3 ? 3 : id === TOKENS.length - 1 ? 4 : 1)) },
    "tokenizer.ggml.merges": { texts: MERGES },
    "tokenizer.ggml.bos_token_id": { u32: 1 },
    "tokenizer.ggml.eos_token_id": { u32: 2 },
    "tokenizer.chat_template": { text: TEMPLATE },
  };
}

/** A model in float32 as llama.cpp's converter writes it: its names, and for Llama the rows of q and k reordered. */
export function ggufOf(config: ModelConfig, parameters: Parameters): TestGguf {
  const arch = config.model_type;
  const metadata: Record<string, TestValue> = {
    "general.architecture": { text: arch },
    [`${arch}.block_count`]: { u32: config.num_hidden_layers },
    [`${arch}.context_length`]: { u32: config.max_position_embeddings },
    [`${arch}.embedding_length`]: { u32: config.hidden_size },
    [`${arch}.feed_forward_length`]: { u32: config.intermediate_size },
    [`${arch}.attention.head_count`]: { u32: config.num_attention_heads },
    [`${arch}.attention.head_count_kv`]: { u32: config.num_key_value_heads },
    [`${arch}.attention.key_length`]: { u32: config.head_dim },
    [`${arch}.attention.layer_norm_rms_epsilon`]: { f32: config.rms_norm_eps },
    [`${arch}.rope.freq_base`]: { f32: config.rope_theta },
    ...tokenizerMetadata("smollm"),
  };
  const tensors = [...parameters].map(([name, tensor]) => ({
    name: storedName(name),
    shape: tensor.shape,
    type: 0,
    data: f32Bytes(arch === "llama" ? permuted(name, tensor, config) : tensor.data),
  }));
  return { metadata, tensors };
}

const RENAMED: [RegExp, string][] = [
  [/^model\.embed_tokens/, "token_embd"],
  [/^model\.norm/, "output_norm"],
  [/^lm_head/, "output"],
  [/^model\.layers/, "blk"],
  [/input_layernorm/, "attn_norm"],
  [/post_attention_layernorm/, "ffn_norm"],
  [/self_attn\.o_proj/, "attn_output"],
  [/self_attn\.(\w)_proj/, "attn_$1"],
  [/mlp\.(\w+)_proj/, "ffn_$1"],
];

function storedName(name: string): string {
  return RENAMED.reduce((text, [pattern, by]) => text.replace(pattern, by), name);
}

/** llama.cpp's own words: `w.reshape(heads, 2, head_dim / 2, …).swapaxes(1, 2)`. */
function permuted(name: string, { shape, data }: Tensor, config: ModelConfig): Float32Array {
  const kind = /self_attn\.([qk])_proj/.exec(name)?.[1];
  if (kind === undefined) return data;
  const heads = kind === "q" ? config.num_attention_heads : config.num_key_value_heads;
  const row = shape[1] ?? 1;
  const half = config.head_dim / 2;
  const order = Array.from({ length: heads * config.head_dim }, (_, at) => {
    const [head, inside] = [Math.floor(at / config.head_dim), at % config.head_dim];
    const [i, side] = [Math.floor(inside / 2), inside % 2];
    return head * config.head_dim + side * half + i;
  });
  return Float32Array.from(order.flatMap((from) => [...data.subarray(from * row, (from + 1) * row)]));
}
