import { fromByteCharacters } from "./byte-characters.ts";
import { createDecoder, isByteLevel } from "./create-decoder.ts";
import { createEncoder } from "./create-encoder.ts";
import { readTokenizerFiles, type TokenizerFiles } from "./read-tokenizer-files.ts";
import { type TokenTable, tokenTable } from "./token-table.ts";
import type { Tokenizer } from "./tokenizer.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * The tokenizer of a Hugging Face folder. `encode` adds no token that is not written in the text, so what a post-processor
 * would put around it is not there. `decode` gives the text that the tokens stand for: it never "cleans up" spaces, and
 * passes over ids that the vocabulary does not have. Errors: those of `readTokenizerFiles` and `createEncoder`.
 */
export async function openTokenizer(dir: string): Promise<Tokenizer> {
  return createTokenizer(await readTokenizerFiles(dir));
}

/** The tokenizer that files describe. */
export function createTokenizer(files: TokenizerFiles): Tokenizer {
  const { tokenizer, special_tokens } = files;
  const table = tokenTable(files);
  const idOf = (token: string | undefined) => (token === undefined ? null : (table.ids.get(token) ?? null));
  const eos = idOf(special_tokens.eos_token);
  return {
    vocab_size: table.tokens.length,
    bos_id: idOf(special_tokens.bos_token),
    eos_ids: [...new Set([...(eos === null ? [] : [eos]), ...files.eos_token_ids])],
    pad_id: idOf(special_tokens.pad_token),
    special_tokens,
    encode: createEncoder(files, table),
    idOf,
    isSpecial: (id) => table.special.has(id),
    ...(isByteLevel(tokenizer.decoder) ? byteLevelDecoding(table) : otherDecoding(files, table)),
  };
}

type Decoding = Pick<Tokenizer, "decode" | "bytesOf">;

/** Each token is some bytes: found once, then only put together. */
function byteLevelDecoding(table: TokenTable): Decoding {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const known: Uint8Array[] = [];
  function bytesOf(id: number): Uint8Array {
    const token = table.tokens[id];
    if (token === undefined) return NO_BYTES;
    const bytes = known[id] ?? fromByteCharacters(token);
    known[id] = bytes;
    return bytes;
  }
  return {
    bytesOf,
    decode(ids, { keep_special = false } = {}) {
      const kept = keep_special ? ids : ids.filter((id) => !table.special.has(id));
      return decoder.decode(Buffer.concat(kept.map(bytesOf)));
    },
  };
}

function otherDecoding({ tokenizer, path }: TokenizerFiles, table: TokenTable): Decoding {
  const decode = createDecoder(tokenizer.decoder, path);
  return {
    bytesOf: () => null,
    decode(ids, { keep_special = false } = {}) {
      const tokens: string[] = [];
      for (const id of ids) {
        const token = table.tokens[id];
        if (token !== undefined && (keep_special || !table.special.has(id))) tokens.push(token);
      }
      return decode(tokens);
    },
  };
}
