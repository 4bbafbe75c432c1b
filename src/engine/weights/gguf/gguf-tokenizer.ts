import type { ModelConfig } from "../../model/model-config.ts";
import { byteLevelJson } from "./byte-level.ts";
import { type GgufMetadata, ggufMetadata } from "./gguf-metadata.ts";
import type { GgufFile } from "./open-gguf.ts";
import { badGguf, unsupportedGguf } from "./parse-gguf.ts";
import { preTokenizerOf } from "./pre-tokenizers.ts";
import { sentencePieceJson } from "./sentencepiece.ts";
import { type GgufTokens, TOKEN_TYPE } from "./tokenizer-json.ts";

/** What a GGUF file holds of a tokenizer, as the files of a Hugging Face folder and the token ids of config.json. */
export interface GgufTokenizer {
  files: Record<string, string>;
  token_ids: Record<string, number | number[] | null>;
}

/**
 * Writes a GGUF file's tokenizer as tokenizer.json, tokenizer_config.json (with the chat template) and
 * generation_config.json. Byte-level BPE (`tokenizer.ggml.model` is gpt2), cut into words as `tokenizer.ggml.pre` says,
 * and SentencePiece's BPE (llama) are supported.
 */
export function readGgufTokenizer(file: GgufFile, config: ModelConfig): GgufTokenizer {
  const metadata = ggufMetadata(file);
  const tokens = readTokens(metadata, config);
  const ids = specialIds(metadata, tokens.length);
  const eos = [...new Set([ids.eos_token_id, ids.eot_token_id])].filter((id) => id !== null);
  const token_ids = {
    bos_token_id: ids.bos_token_id,
    eos_token_id: eos.length > 1 ? eos : (eos[0] ?? null),
    pad_token_id: ids.pad_token_id,
  };
  const generation = Object.fromEntries(Object.entries(token_ids).filter(([, id]) => id !== null));
  return {
    token_ids,
    files: {
      "tokenizer.json": JSON.stringify(tokenizerJson(metadata, tokens, ids)),
      "tokenizer_config.json": pretty(tokenizerConfig(metadata, tokens, { ids, config })),
      "generation_config.json": pretty(generation),
    },
  };
}

function tokenizerJson(metadata: GgufMetadata, tokens: readonly string[], ids: SpecialIds): object {
  const types = kindsOf(metadata, tokens, ids);
  function all(add_bos: boolean): GgufTokens {
    const with_bos = metadata.flag("tokenizer.ggml.add_bos_token", add_bos);
    return { tokens, types, bos_id: with_bos ? ids.bos_token_id : null };
  }
  const model = metadata.text("tokenizer.ggml.model");
  switch (model) {
    case "gpt2": {
      const pre = preTokenizerOf(metadata.text("tokenizer.ggml.pre", "default"), metadata.path);
      return byteLevelJson(metadata, all(pre.add_bos), pre);
    }
    case "llama":
      return sentencePieceJson(metadata, all(true));
    default:
      throw unsupportedGguf(
        metadata.path,
        `tokenizer.ggml.model is "${model}"; gpt2 (byte-level BPE) and llama (SentencePiece) are supported`,
        "use the model's Hugging Face folder, which holds its tokenizer.json",
      );
  }
}

function readTokens(metadata: GgufMetadata, config: ModelConfig): string[] {
  const tokens = metadata.texts("tokenizer.ggml.tokens");
  if (tokens.length === 0) throw badGguf(metadata.path, "key tokenizer.ggml.tokens is missing");
  if (tokens.length <= config.vocab_size) return tokens;
  throw badGguf(
    metadata.path,
    `the tokenizer has ${tokens.length} tokens, but token_embd.weight has rows for ${config.vocab_size}`,
  );
}

type SpecialIds = ReturnType<typeof specialIds>;

function specialIds(metadata: GgufMetadata, count: number) {
  function idOf(name: string): number | null {
    const key = `tokenizer.ggml.${name}_token_id`;
    // Some converters write 2^32 - 1 for "none".
    if (!metadata.has(key) || metadata.number(key) < 0 || metadata.number(key) === 2 ** 32 - 1) return null;
    const id = metadata.count(key);
    if (id >= count) throw badGguf(metadata.path, `${key} is ${id}, but there are ${count} tokens`);
    return id;
  }
  return {
    bos_token_id: idOf("bos"),
    eos_token_id: idOf("eos"),
    eot_token_id: idOf("eot"),
    unk_token_id: idOf("unknown"),
    pad_token_id: idOf("padding"),
  };
}

/** Each token's kind. What begins, ends or fills a text is a control token, whatever the file says. */
function kindsOf(metadata: GgufMetadata, tokens: readonly string[], ids: SpecialIds): number[] {
  const types = metadata.counts("tokenizer.ggml.token_type");
  const { unk_token_id, ...others } = ids;
  const control = new Set(Object.values(others));
  return tokens.map((_, id) => {
    if (id === unk_token_id) return TOKEN_TYPE.unknown;
    return control.has(id) ? TOKEN_TYPE.control : (types[id] ?? TOKEN_TYPE.normal);
  });
}

function tokenizerConfig(
  metadata: GgufMetadata,
  tokens: readonly string[],
  { ids, config }: { ids: SpecialIds; config: ModelConfig },
): Record<string, unknown> {
  const token = (id: number | null) => (id === null ? null : (tokens[id] ?? null));
  const chat_template = readTemplates(metadata);
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: config.max_position_embeddings,
    clean_up_tokenization_spaces: false,
    bos_token: token(ids.bos_token_id),
    eos_token: token(ids.eos_token_id),
    unk_token: token(ids.unk_token_id),
    pad_token: token(ids.pad_token_id),
    ...(chat_template === null ? {} : { chat_template }),
  };
}

/** One template, or several by name where the file has more. */
function readTemplates(metadata: GgufMetadata): string | { name: string; template: string }[] | null {
  const key = "tokenizer.chat_template";
  const names = metadata.texts("tokenizer.chat_templates").filter((name) => metadata.has(`${key}.${name}`));
  const template = metadata.has(key) ? metadata.text(key) : null;
  if (names.length === 0) return template;
  const others = names.map((name) => ({ name, template: metadata.text(`${key}.${name}`) }));
  return template === null ? others : [{ name: "default", template }, ...others];
}

function pretty(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
