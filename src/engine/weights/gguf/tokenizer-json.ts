import type { GgufMetadata } from "./gguf-metadata.ts";
import { badGguf } from "./parse-gguf.ts";

/** The kinds of token that llama.cpp tells apart. */
export const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, user_defined: 4, unused: 5, byte: 6 } as const;

/** A GGUF file's tokens by id, each with its kind. */
export interface GgufTokens {
  tokens: readonly string[];
  types: readonly number[];
  /** Of the token that stands before every text, if one does. */
  bos_id: number | null;
}

/** `vocab` and `added_tokens` of tokenizer.json. Unused tokens are left out: no text becomes one. */
export function vocabulary({ tokens, types }: GgufTokens, { path }: GgufMetadata) {
  // Without a prototype: a token may be called "constructor".
  const vocab: Record<string, number> = Object.create(null) as Record<string, number>;
  const added_tokens: object[] = [];
  for (const [id, content] of tokens.entries()) {
    const type = types[id];
    if (type === TOKEN_TYPE.unused) continue;
    if (vocab[content] !== undefined) {
      throw badGguf(path, `tokenizer.ggml.tokens holds ${JSON.stringify(content.slice(0, 40))} twice`);
    }
    vocab[content] = id;
    const special = type === TOKEN_TYPE.control || type === TOKEN_TYPE.unknown;
    if (!special && type !== TOKEN_TYPE.user_defined) continue;
    added_tokens.push({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special });
  }
  return { vocab, added_tokens };
}

/** What stands at the top of a tokenizer.json. */
export const TOKENIZER_JSON = { version: "1.0", truncation: null, padding: null };

/** The model of BPE, as far as it is the same everywhere. */
export const BPE = {
  type: "BPE",
  dropout: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
};

/** The beginning-of-text token before a text, as tokenizers' TemplateProcessing writes it; null for none. */
export function postProcessor({ tokens, bos_id }: GgufTokens) {
  if (bos_id === null) return null;
  const token = tokens[bos_id] ?? "";
  const special = (type_id: number) => ({ SpecialToken: { id: token, type_id } });
  const sequence = (name: string, type_id: number) => ({ Sequence: { id: name, type_id } });
  return {
    type: "TemplateProcessing",
    single: [special(0), sequence("A", 0)],
    pair: [special(0), sequence("A", 0), special(1), sequence("B", 1)],
    special_tokens: { [token]: { id: token, ids: [bos_id], tokens: [token] } },
  };
}
