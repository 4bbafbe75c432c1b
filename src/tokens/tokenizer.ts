/** A model's tokenizer: text to token ids and back. Nothing is added unasked: a beginning-of-text token is the template's business. */
export interface Tokenizer {
  /** Ids are below this: the largest id of vocabulary and added tokens, plus one. */
  readonly vocab_size: number;
  readonly bos_id: number | null;
  /** Any of these ends a text. */
  readonly eos_ids: readonly number[];
  readonly pad_id: number | null;
  /** Token ids of a text; control tokens that are written out in it (`<|im_start|>`) become their ids. */
  encode(text: string): number[];
  /** The text of token ids. Control tokens are left out unless `keep_special` says otherwise. */
  decode(ids: readonly number[], options?: { keep_special?: boolean }): string;
}
