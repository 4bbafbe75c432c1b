import type { GgufMetadata } from "./gguf-metadata.ts";
import { badGguf } from "./parse-gguf.ts";
import { BPE, type GgufTokens, postProcessor, TOKEN_TYPE, TOKENIZER_JSON, vocabulary } from "./tokenizer-json.ts";

/** SentencePiece's sign for a space. */
const SPACE = "▁";

/**
 * tokenizer.json of SentencePiece's BPE, as Llama 2, Mistral and TinyLlama have it: `tokenizer.ggml.model` is llama. A
 * space is put before a text, and after a control token in it, as llama.cpp does; `tokenizer.ggml.add_space_prefix`
 * switches that off. Characters that are no pieces become bytes.
 */
export function sentencePieceJson(metadata: GgufMetadata, tokens: GgufTokens): object {
  const { vocab, added_tokens } = vocabulary(tokens, metadata);
  const prefix = metadata.flag("tokenizer.ggml.add_space_prefix", true);
  const unknown = tokens.types.indexOf(TOKEN_TYPE.unknown);
  const bytes = tokens.types.filter((type) => type === TOKEN_TYPE.byte).length;
  return {
    ...TOKENIZER_JSON,
    added_tokens,
    normalizer: sequence("normalizers", [
      ...(prefix ? [{ type: "Prepend", prepend: SPACE }] : []),
      { type: "Replace", pattern: { String: " " }, content: SPACE },
    ]),
    pre_tokenizer: null,
    post_processor: postProcessor(tokens),
    decoder: sequence("decoders", [
      { type: "Replace", pattern: { String: SPACE }, content: " " },
      { type: "ByteFallback" },
      { type: "Fuse" },
      ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
    ]),
    model: {
      ...BPE,
      unk_token: tokens.tokens[unknown] ?? null,
      fuse_unk: true,
      byte_fallback: bytes === 256,
      ignore_merges: false,
      vocab,
      merges: mergesOf(metadata, tokens),
    },
  };
}

function sequence(key: string, steps: object[]): object {
  return { type: "Sequence", [key]: steps };
}

/**
 * The merges that the pieces' scores imply. SentencePiece joins the two neighbours whose piece has the highest score;
 * so every way to cut a piece in two pieces is a merge, in the order of the scores.
 */
function mergesOf(metadata: GgufMetadata, { tokens, types }: GgufTokens): [string, string][] {
  const scores = metadata.numbers("tokenizer.ggml.scores");
  if (scores.length !== tokens.length) {
    throw badGguf(metadata.path, `tokenizer.ggml.scores has ${scores.length} entries for ${tokens.length} tokens`);
  }
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) if (types[id] === TOKEN_TYPE.normal) ids.set(token, id);
  const order = [...ids.values()].sort((one, other) => (scores[other] ?? 0) - (scores[one] ?? 0));
  return order.flatMap((id) => cuts(tokens[id] ?? "", ids));
}

/** Every way to cut a piece in two, the one of the older pieces first, as transformers orders them. */
function cuts(piece: string, ids: ReadonlyMap<string, number>): [string, string][] {
  const characters = [...piece];
  const found: { left: string; right: string; at: [number, number] }[] = [];
  for (let size = 1; size < characters.length; size += 1) {
    const left = characters.slice(0, size).join("");
    const right = characters.slice(size).join("");
    const at = [ids.get(left), ids.get(right)] as const;
    if (at[0] !== undefined && at[1] !== undefined) found.push({ left, right, at: [at[0], at[1]] });
  }
  found.sort((one, other) => one.at[0] - other.at[0] || one.at[1] - other.at[1]);
  return found.map(({ left, right }) => [left, right]);
}
