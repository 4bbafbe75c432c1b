import { usageError } from "../lib/errors.ts";
import { createBoundedCache } from "./bounded-cache.ts";
import { byteEntry, toByteCharacters } from "./byte-characters.ts";
import { createWordSplitter } from "./create-word-splitter.ts";
import { buildLibrary, type Library } from "./library.ts";
import { preTokenizerSteps } from "./pre-tokenizer-steps.ts";
import type { TokenizerFiles } from "./read-tokenizer-files.ts";
import { createSplitter, type Splitter } from "./split-added-tokens.ts";
import type { TokenTable } from "./token-table.ts";

/** Words whose ids are kept; twice as many at most, of a few dozen bytes each. */
const CACHED_WORDS = 50_000;
/** A longer word hardly comes back. */
const CACHED_LENGTH = 200;

/**
 * Text to ids: cut at added tokens, normalise, cut into words, and each word by the model of `@huggingface/tokenizers`.
 * The ids of a word are kept, since the same words come again and again: about ten times as many short prompts a second.
 * What a post-processor would add is not added. Errors: `tokenizer_unsupported`, `tokenizer_broken` when it is made;
 * `token_unknown` when a text holds what the vocabulary has no entry for and there is no unknown token either.
 */
export function createEncoder(files: TokenizerFiles, table: TokenTable): (text: string) => number[] {
  const { model, normalizer } = files.tokenizer;
  const library = buildLibrary({ model, normalizer }, files.path);
  const { raw, normalized } = splitters(files, table, library);
  const idsOf = wordEncoder(files, table, library);
  const steps = preTokenizerSteps(files.tokenizer.pre_tokenizer, files.path);
  const last = steps.at(-1);
  // Words are looked up as they are written: their bytes are only made for those that are new.
  const bytes = last?.type === "ByteLevel" && last.use_regex === false && last.add_prefix_space !== true;
  const spell = bytes ? toByteCharacters : (word: string) => word;
  const wordsOf = createWordSplitter(bytes ? steps.slice(0, -1) : steps, files.path);
  const cache = createBoundedCache<string, readonly number[]>(CACHED_WORDS);

  function encodeWord(word: string): readonly number[] {
    const known = cache.get(word);
    if (known !== undefined) return known;
    const ids = idsOf(spell(word));
    // A copy: a slice of a text would keep the whole text alive.
    if (word.length <= CACHED_LENGTH) cache.set(` ${word}`.slice(1), ids);
    return ids;
  }

  return (text) => {
    const ids: number[] = [];
    for (const [index, section] of raw(text).entries()) {
      if (typeof section === "number") {
        ids.push(section);
        continue;
      }
      for (const piece of normalized(library.normalizer?.normalize(section) ?? section)) {
        if (typeof piece === "number") {
          ids.push(piece);
          continue;
        }
        for (const word of wordsOf(piece, index)) for (const id of encodeWord(word)) ids.push(id);
      }
    }
    return ids;
  };
}

/** Control tokens that only the configuration names are looked for too, as `transformers` does. */
function splitters(
  files: TokenizerFiles,
  table: TokenTable,
  library: Library,
): { raw: Splitter; normalized: Splitter } {
  const added = [...files.tokenizer.added_tokens];
  const known = new Set(added.map((token) => token.id));
  for (const id of table.special) {
    const content = table.tokens[id];
    if (known.has(id) || content === undefined) continue;
    const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
    added.push({ ...plain, id, content });
  }
  const raw = added.filter((token) => !token.normalized).map((token) => ({ ...token, sought: token.content }));
  const normalized = added.filter((token) => token.normalized);
  return {
    raw: createSplitter(raw),
    normalized: createSplitter(
      normalized.map((token) => ({
        ...token,
        sought: library.normalizer?.normalize(token.content) ?? token.content,
      })),
    ),
  };
}

function wordEncoder({ tokenizer, path }: TokenizerFiles, table: TokenTable, { model }: Library) {
  const unknown = model.unk_token_id;
  const byteFallback = tokenizer.model.byte_fallback === true;

  function idsOfEntry(entry: string): number[] {
    const id = table.ids.get(entry);
    if (id !== undefined) return [id];
    if (byteFallback) {
      const ids = Array.from(Buffer.from(entry, "utf8"), (byte) => table.ids.get(byteEntry(byte)));
      if (ids.every((each) => each !== undefined)) return ids;
    }
    if (unknown !== undefined) return [unknown];
    throw usageError({
      code: "token_unknown",
      where: path,
      what: "a text holds something that the vocabulary has no entry for, and there is no unknown token either",
      fix: "use a tokenizer that falls back to bytes or has an unknown token",
    });
  }

  // The reference leaves unknown characters out before it merges, the library after.
  const drops = Array.isArray(tokenizer.model.merges) && unknown === undefined && !byteFallback;
  const known = (word: string) => [...word].filter((character) => table.ids.has(character)).join("");

  return (word: string): readonly number[] => model._call([drops ? known(word) : word]).flatMap(idsOfEntry);
}
