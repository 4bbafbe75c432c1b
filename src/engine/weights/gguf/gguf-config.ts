import type { AttentionBias, ModelConfig, RopeScaling } from "../../model/model-config.ts";
import { readConfig } from "../../model/read-config.ts";
import { configJson } from "../config-json.ts";
import { type GgufMetadata, ggufMetadata } from "./gguf-metadata.ts";
import { readLlama3Factors } from "./llama3-factors.ts";
import type { GgufFile } from "./open-gguf.ts";
import { badGguf, unsupportedGguf } from "./parse-gguf.ts";

/** llama.cpp calls every model that computes as Llama does `llama`: Mistral and SmolLM2 too. */
const ARCHITECTURES = ["llama", "qwen2"] as const;

/**
 * Reads the shape of a model out of a GGUF file's metadata and tensors. What the engine does not do is an
 * `unsupported_gguf` error.
 */
export async function readGgufConfig(file: GgufFile): Promise<ModelConfig> {
  const metadata = ggufMetadata(file);
  const model_type = architectureOf(metadata);
  refuseOthers(metadata, model_type);
  const key = (name: string) => `${model_type}.${name}`;
  const num_attention_heads = metadata.count(key("attention.head_count"));
  const hidden_size = metadata.count(key("embedding_length"));
  const head_dim = metadata.count(key("attention.key_length"), hidden_size / num_attention_heads);
  checkHeads(metadata, model_type, { head_dim, num_attention_heads });
  const config: ModelConfig = {
    model_type,
    vocab_size: file.tensors.get("token_embd.weight")?.shape[0] ?? metadata.texts("tokenizer.ggml.tokens").length,
    hidden_size,
    intermediate_size: metadata.count(key("feed_forward_length")),
    num_hidden_layers: metadata.count(key("block_count")),
    num_attention_heads,
    num_key_value_heads: metadata.count(key("attention.head_count_kv"), num_attention_heads),
    head_dim,
    max_position_embeddings: metadata.count(key("context_length")),
    rms_norm_eps: metadata.number(key("attention.layer_norm_rms_epsilon")),
    ...(await readRope(file, metadata, { model_type, head_dim })),
    attention_bias: readBias(file, model_type),
    tie_word_embeddings: !file.tensors.has("output.weight"),
  };
  // Held to the same rules as a config.json: no heads of odd size, no billion layers.
  return readConfig(configJson(config, { dtype: "F32" }), file.path);
}

function architectureOf(metadata: GgufMetadata): "llama" | "qwen2" {
  const name = metadata.text("general.architecture");
  const known = ARCHITECTURES.find((architecture) => architecture === name);
  if (known !== undefined) return known;
  throw unsupportedGguf(
    metadata.path,
    `general.architecture is "${name}"; ${ARCHITECTURES.join(" and ")} are supported`,
    "use a Llama, Mistral or Qwen2 model",
  );
}

function refuseOthers(metadata: GgufMetadata, architecture: string): void {
  const kind = metadata.text("general.type", "model");
  if (kind !== "model") {
    throw unsupportedGguf(metadata.path, `general.type is "${kind}"; only model is supported`, "name a model's file");
  }
  if (metadata.count("split.count", 1) > 1) {
    throw unsupportedGguf(
      metadata.path,
      "the file is one part of several (split.count)",
      "join the parts first: llama-gguf-split --merge",
    );
  }
  if (metadata.count(`${architecture}.expert_count`, 0) > 0) {
    throw unsupportedGguf(metadata.path, `${architecture}.expert_count: the model has experts`, "use a dense model");
  }
  const window = `${architecture}.attention.sliding_window`;
  const length = metadata.count(`${architecture}.context_length`);
  if (metadata.count(window, 0) > 0 && metadata.count(window) < length) {
    throw unsupportedGguf(
      metadata.path,
      `${window} is ${metadata.count(window)}, less than the context's ${length}`,
      "use a model with full attention",
    );
  }
}

function checkHeads(
  metadata: GgufMetadata,
  architecture: string,
  { head_dim, num_attention_heads }: { head_dim: number; num_attention_heads: number },
): void {
  if (!Number.isInteger(head_dim)) {
    throw badGguf(
      metadata.path,
      `${architecture}.attention.head_count (${num_attention_heads}) does not divide embedding_length`,
    );
  }
  for (const name of ["rope.dimension_count", "attention.value_length"]) {
    const size = metadata.count(`${architecture}.${name}`, head_dim);
    if (size === head_dim) continue;
    throw unsupportedGguf(
      metadata.path,
      `${architecture}.${name} is ${size}; only a head's whole size, ${head_dim}, is supported`,
      "use a Llama, Mistral or Qwen2 model",
    );
  }
}

async function readRope(
  file: GgufFile,
  metadata: GgufMetadata,
  { model_type, head_dim }: { model_type: string; head_dim: number },
): Promise<{ rope_theta: number; rope_scaling: RopeScaling | null }> {
  const rope_theta = metadata.number(`${model_type}.rope.freq_base`, 10_000);
  const key = `${model_type}.rope.scaling.type`;
  const type = metadata.text(key, "none");
  if (type !== "none" && type !== "linear") {
    throw unsupportedGguf(
      metadata.path,
      `${key} is "${type}"; none and linear are supported`,
      "use a model without it",
    );
  }
  // Older files name the factor only, and by another key.
  const factor = metadata.number(
    `${model_type}.rope.scaling.factor`,
    metadata.number(`${model_type}.rope.scale_linear`, 1),
  );
  const stretched = (type === "linear" || !metadata.has(key)) && factor !== 1;
  const linear: RopeScaling | null = stretched ? { rope_type: "linear", factor } : null;
  if (!file.tensors.has("rope_freqs.weight")) return { rope_theta, rope_scaling: linear };
  return { rope_theta, rope_scaling: await readLlama3Factors(file, { rope_theta, head_dim }) };
}

function readBias(file: GgufFile, model_type: "llama" | "qwen2"): AttentionBias {
  if (model_type === "qwen2") return "qkv";
  // With some of them only, the others are missing, and the error says which.
  return file.tensors.has("blk.0.attn_q.bias") ? "qkvo" : "none";
}
