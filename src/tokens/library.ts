import { Tokenizer } from "@huggingface/tokenizers";
import { messageOf, usageError } from "../lib/errors.ts";
import { unsupported } from "./pre-tokenizer-steps.ts";
import type { Step, TokenizerJson } from "./read-tokenizer-files.ts";

/** What is used of `@huggingface/tokenizers`, whose own types do not resolve under Node's module rules (0.2.0). */
export interface Library {
  readonly normalizer: { normalize(text: string): string } | null;
  readonly pre_tokenizer: { pre_tokenize_text(text: string, options: { section_index: number }): string[] } | null;
  readonly model: {
    /** The entries of the vocabulary that words are made of. */
    _call(words: string[]): string[];
    readonly unk_token_id?: number | undefined;
  };
}

interface Parts {
  model?: TokenizerJson["model"];
  normalizer?: Step | null;
  pre_tokenizer?: Step | null;
}

/** The library's parts for these of a `tokenizer.json`. Errors: `tokenizer_unsupported`, `tokenizer_broken`, with `path` as their place. */
export function buildLibrary(parts: Parts, path: string): Library {
  const nothing: TokenizerJson["model"] = { type: "BPE", vocab: {}, merges: [] };
  const { model = nothing, normalizer = null, pre_tokenizer = null } = parts;
  const definition = { model, normalizer, pre_tokenizer, post_processor: null, decoder: null, added_tokens: [] };
  refuseApproximate(normalizer, path);
  try {
    return new Tokenizer(definition, { unk_token: model.unk_token ?? undefined });
  } catch (cause) {
    const unknown = /^Unknown (\w+) type: (\w+)/.exec(messageOf(cause));
    if (unknown !== null) throw unsupported(path, `a ${unknown[1]} of type ${unknown[2]}`, cause);
    throw usageError({
      code: "tokenizer_broken",
      where: path,
      what: `the tokenizer cannot be built: ${messageOf(cause, 200)}`,
      fix: "copy or download the file again",
      cause,
    });
  }
}

/** The library takes every precompiled table of characters for NFKC, which is near and not the same. */
function refuseApproximate(step: Step | null, path: string): void {
  if (step?.type === "Precompiled") throw unsupported(path, "a Normalizer of type Precompiled");
  if (step?.type === "Sequence") for (const inner of step.normalizers ?? []) refuseApproximate(inner, path);
}
