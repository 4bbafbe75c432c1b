/** How the next token is chosen from a model's logits. */
export interface SamplingSettings {
  /** Divides the logits; 0 takes the likeliest token always. */
  temperature: number;
  /** Only the k likeliest tokens; 0 for all. */
  top_k: number;
  /** Only the likeliest tokens that together have this share of what `top_k` left (Holtzman et al. 2020); 1 for all. */
  top_p: number;
  /** Only tokens at least this share as likely as the likeliest one; 0 for all. */
  min_p: number;
  /** Makes tokens of prompt and reply less likely: positive logits are divided by it, negative multiplied (Keskar et al. 2019); 1 for none. */
  repetition_penalty: number;
  /** Taken off the logits of tokens that the reply has already. */
  presence_penalty: number;
  /** Taken off the logits of the reply's tokens, as often as each is there. */
  frequency_penalty: number;
  /** Added to the logits of tokens, by their ids. */
  logit_bias: ReadonlyMap<number, number>;
}

export const PLAIN_SAMPLING: SamplingSettings = {
  temperature: 1,
  top_k: 0,
  top_p: 1,
  min_p: 0,
  repetition_penalty: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
  logit_bias: new Map(),
};
