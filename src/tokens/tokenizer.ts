/** A model's tokenizer: text to token ids and back. Nothing is added unasked: a beginning-of-text token is the template's business. */
export interface Tokenizer {
  /** Ids are below this: the largest id of vocabulary and added tokens, plus one. */
  readonly vocab_size: number;
  readonly bos_id: number | null;
  /**
   * Any of these ends a text: the tokenizer's own end token first, then those of `generation_config.json` and
   * `config.json`. Empty when no file names one.
   */
  readonly eos_ids: readonly number[];
  readonly pad_id: number | null;
  /** The texts of the special tokens that the files name, as chat templates read them: `bos_token`, `eos_token`, ... */
  readonly special_tokens: Readonly<Record<string, string>>;
  /** Token ids of a text; control tokens that are written out in it (`<|im_start|>`) become their ids. */
  encode(text: string): number[];
  /** The text of token ids. Control tokens are left out unless `keep_special` says otherwise. */
  decode(ids: readonly number[], options?: { keep_special?: boolean }): string;
  /** The bytes that a token adds wherever it stands, or `null` when its text depends on its neighbours (see `token-stream.ts`). */
  bytesOf(id: number): Uint8Array | null;
  /** The id of a token by its entry in the vocabulary, or `null`. */
  idOf(token: string): number | null;
  /** Whether `decode` leaves the token out: it steers, and is no text. */
  isSpecial(id: number): boolean;
}
