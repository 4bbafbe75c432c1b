import { usageError } from "../lib/errors.ts";
import type { TokenizerFiles } from "./read-tokenizer-files.ts";

/** Far above any vocabulary: a wrong id must not make a table that fills the memory. */
const LARGEST_ID = 10_000_000;

/** Every token of a tokenizer by id and by entry. */
export interface TokenTable {
  /** The entry of each id; ids may be missing in between. */
  readonly tokens: readonly (string | undefined)[];
  readonly ids: ReadonlyMap<string, number>;
  /** Tokens that `decode` leaves out. */
  readonly special: ReadonlySet<number>;
}

/**
 * Puts vocabulary, added tokens and special tokens together. An added token overrides an entry of the same text. Errors:
 * `tokenizer_broken` when an id is no id.
 */
export function tokenTable(files: TokenizerFiles): TokenTable {
  const tokens: (string | undefined)[] = [];
  const ids = new Map<string, number>();
  const { vocab } = files.tokenizer.model;
  const entries = Array.isArray(vocab)
    ? vocab.map(([token], id): [string, number] => [token, id])
    : Object.entries(vocab);
  for (const { content, id } of files.tokenizer.added_tokens) entries.push([content, id]);
  for (const [token, id] of entries) {
    if (!Number.isInteger(id) || id < 0 || id > LARGEST_ID) {
      throw usageError({
        code: "tokenizer_broken",
        where: files.path,
        what: `the vocabulary's entry ${JSON.stringify(token.slice(0, 40))} has no id from 0 to ${LARGEST_ID}`,
        fix: "copy or download the file again",
      });
    }
    tokens[id] = token;
    ids.set(token, id);
  }
  const special = new Set<number>();
  for (const token of files.tokenizer.added_tokens) if (token.special) special.add(token.id);
  for (const token of [...Object.values(files.special_tokens), ...files.additional_special_tokens]) {
    const id = ids.get(token);
    if (id !== undefined) special.add(id);
  }
  return { tokens, ids, special };
}
