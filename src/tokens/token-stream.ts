import { byteEntry } from "./byte-characters.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Turns the ids of a text that is being generated into text, piece by piece. All pieces together are `decode` of all ids. */
export interface TokenStream {
  /** The text that is certain after this id: often one word, often nothing, since a character may take several tokens. */
  push(id: number): string;
  /** What was held back, with U+FFFD for bytes that never became a character. The stream is then at its end. */
  flush(): string;
}

/**
 * A stream for one text. With a byte-level tokenizer at most the bytes of one unfinished character wait. With others the
 * last tokens are decoded together with those before them, as the text of a token depends on its neighbours there; a run
 * of byte tokens (`<0xE2>`) waits for its end, since one byte that fits nowhere makes all of it U+FFFD.
 */
export function createTokenStream(tokenizer: Tokenizer, options: { keep_special?: boolean } = {}): TokenStream {
  const keepSpecial = options.keep_special ?? false;
  // An id that the vocabulary does not have is nothing: it does not end a run of bytes either.
  const skips = (id: number) => id >= tokenizer.vocab_size || (!keepSpecial && tokenizer.isSpecial(id));
  return tokenizer.bytesOf(0) === null ? neighbourStream(tokenizer, skips) : byteStream(tokenizer, skips);
}

function byteStream(tokenizer: Tokenizer, skips: (id: number) => boolean): TokenStream {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    push(id) {
      const bytes = skips(id) ? null : tokenizer.bytesOf(id);
      return bytes === null ? "" : decoder.decode(bytes, { stream: true });
    },
    flush: () => decoder.decode(),
  };
}

const UNFINISHED = "\uFFFD";

function neighbourStream(tokenizer: Tokenizer, skips: (id: number) => boolean): TokenStream {
  // Ids whose text is out and that only give the others their surroundings, then those whose text is not.
  let ids: number[] = [];
  let told = 0;
  let toldText = "";
  const text = () => tokenizer.decode(ids, { keep_special: true });
  const bytes = new Set(Array.from({ length: 256 }, (_, byte) => tokenizer.idOf(byteEntry(byte))));

  return {
    push(id) {
      if (skips(id)) return "";
      ids.push(id);
      if (bytes.has(id)) return "";
      const whole = text();
      if (whole.endsWith(UNFINISHED) || whole.length <= toldText.length) return "";
      const piece = whole.slice(toldText.length);
      ids = ids.slice(told);
      told = ids.length;
      toldText = text();
      return piece;
    },
    flush() {
      const piece = text().slice(toldText.length);
      ids = [];
      told = 0;
      toldText = "";
      return piece;
    },
  };
}
