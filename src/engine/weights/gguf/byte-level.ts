import type { GgufMetadata } from "./gguf-metadata.ts";
import { badGguf } from "./parse-gguf.ts";
import type { PreTokenizer } from "./pre-tokenizers.ts";
import { BPE, type GgufTokens, postProcessor, TOKENIZER_JSON, vocabulary } from "./tokenizer-json.ts";

/** tokenizer.json of byte-level BPE: `tokenizer.ggml.model` is gpt2. */
export function byteLevelJson(metadata: GgufMetadata, tokens: GgufTokens, pre: PreTokenizer): object {
  const { vocab, added_tokens } = vocabulary(tokens, metadata);
  return {
    ...TOKENIZER_JSON,
    added_tokens,
    normalizer: null,
    pre_tokenizer: pre.steps.length === 1 ? pre.steps[0] : { type: "Sequence", pretokenizers: pre.steps },
    post_processor: postProcessor(tokens),
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      ...BPE,
      unk_token: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: pre.ignore_merges,
      vocab,
      merges: readMerges(metadata),
    },
  };
}

function readMerges(metadata: GgufMetadata): string[] {
  const merges = metadata.texts("tokenizer.ggml.merges");
  if (merges.length === 0) throw badGguf(metadata.path, "key tokenizer.ggml.merges is missing");
  const strange = merges.findIndex((merge) => !/^[^ ]+ [^ ]+$/.test(merge));
  if (strange !== -1) throw badGguf(metadata.path, `tokenizer.ggml.merges: entry ${strange + 1} is no pair`);
  return merges;
}
