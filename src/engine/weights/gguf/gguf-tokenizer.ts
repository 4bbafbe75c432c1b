import type { ModelConfig } from "../../model/model-config.ts";
import { type GgufMetadata, ggufMetadata } from "./gguf-metadata.ts";
import type { GgufFile } from "./open-gguf.ts";
import { badGguf, unsupportedGguf } from "./parse-gguf.ts";
import { preTokenizerOf } from "./pre-tokenizers.ts";

/** The kinds of token that llama.cpp tells apart. */
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

/** What a GGUF file holds of a tokenizer, as the files of a Hugging Face folder and the token ids of config.json. */
export interface GgufTokenizer {
  files: Record<string, string>;
  token_ids: Record<string, number | number[] | null>;
}

/**
 * Writes a GGUF file's tokenizer as tokenizer.json, tokenizer_config.json (with the chat template) and generation_config.json. Byte-level BPE
 * (`tokenizer.ggml.model` is gpt2) is supported, cut into words as `tokenizer.ggml.pre` says.
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

function readTokens(metadata: GgufMetadata, config: ModelConfig): string[] {
  const model = metadata.text("tokenizer.ggml.model");
  if (model !== "gpt2") {
    throw unsupportedGguf(
      metadata.path,
      `tokenizer.ggml.model is "${model}"${model === "llama" ? " (SentencePiece)" : ""}; only gpt2, byte-level BPE, is supported`,
      "use the model's Hugging Face folder, which holds its tokenizer.json",
    );
  }
  const tokens = metadata.texts("tokenizer.ggml.tokens");
  if (tokens.length === 0) throw badGguf(metadata.path, "key tokenizer.ggml.tokens is missing");
  if (tokens.length > config.vocab_size) {
    throw badGguf(
      metadata.path,
      `the tokenizer has ${tokens.length} tokens, but token_embd.weight has rows for ${config.vocab_size}`,
    );
  }
  return tokens;
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

function tokenizerJson(metadata: GgufMetadata, tokens: readonly string[], ids: SpecialIds) {
  const pre = preTokenizerOf(metadata.text("tokenizer.ggml.pre", "default"), metadata.path);
  const types = metadata.counts("tokenizer.ggml.token_type");
  const named = new Set(Object.values(ids));
  const typeOf = (id: number) => (named.has(id) ? CONTROL : (types[id] ?? 1));
  const vocab: Record<string, number> = Object.create(null) as Record<string, number>;
  const added_tokens: object[] = [];
  for (const [id, token] of tokens.entries()) {
    const type = typeOf(id);
    if (type === UNUSED) continue;
    if (vocab[token] !== undefined) {
      throw badGguf(metadata.path, `tokenizer.ggml.tokens holds ${JSON.stringify(token.slice(0, 40))} twice`);
    }
    vocab[token] = id;
    if (type === CONTROL || type === USER_DEFINED) added_tokens.push(addedToken(id, token, type === CONTROL));
  }
  const bos = ids.bos_token_id;
  const with_bos = metadata.flag("tokenizer.ggml.add_bos_token", pre.add_bos) && bos !== null;
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens,
    normalizer: null,
    pre_tokenizer: pre.steps.length === 1 ? pre.steps[0] : { type: "Sequence", pretokenizers: pre.steps },
    post_processor: with_bos ? bosBefore(tokens[bos] ?? "", bos) : null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { ...BPE, ignore_merges: pre.ignore_merges, vocab, merges: readMerges(metadata) },
  };
}

const BPE = {
  type: "BPE",
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
};

function addedToken(id: number, content: string, special: boolean) {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
}

function readMerges(metadata: GgufMetadata): string[] {
  const merges = metadata.texts("tokenizer.ggml.merges");
  if (merges.length === 0) throw badGguf(metadata.path, "key tokenizer.ggml.merges is missing");
  const strange = merges.findIndex((merge) => !/^[^ ]+ [^ ]+$/.test(merge));
  if (strange !== -1) throw badGguf(metadata.path, `tokenizer.ggml.merges: entry ${strange + 1} is no pair`);
  return merges;
}

/** The beginning-of-text token before a text, as tokenizers' TemplateProcessing writes it. */
function bosBefore(token: string, id: number) {
  const special = (type_id: number) => ({ SpecialToken: { id: token, type_id } });
  const sequence = (name: string, type_id: number) => ({ Sequence: { id: name, type_id } });
  return {
    type: "TemplateProcessing",
    single: [special(0), sequence("A", 0)],
    pair: [special(0), sequence("A", 0), special(1), sequence("B", 1)],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
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
