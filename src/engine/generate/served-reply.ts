import type { Tokenizer } from "../../tokens/tokenizer.ts";
import type { TokenLogProbability } from "./log-probabilities.ts";
import type { Completion } from "./request.ts";

/** A token as a server tells it: its text alone (U+FFFD where it is a part of a character), and its UTF-8 bytes. */
export interface ServedToken {
  token_id: number;
  token: string;
  bytes: number[];
  logprob: number;
}

/** A token that was chosen, and the likeliest ones there, likeliest first. */
export interface ServedLogProbability extends ServedToken {
  top: ServedToken[];
}

export interface ServedCompletion extends Omit<Completion, "logprobs"> {
  /** Also the token that ended the text is counted. */
  completion_tokens: number;
  /** One for each of `token_ids`, when the request asks for them. */
  logprobs: ServedLogProbability[] | null;
}

export interface TextReply {
  prompt_tokens: number;
  completions: ServedCompletion[];
}

/** Completions with the texts of their tokens. Keeps what each token of the vocabulary looks like from its first use on. */
export function replyWriter(tokenizer: Tokenizer): (prompt_tokens: number, completions: Completion[]) => TextReply {
  const known = new Map<number, Pick<ServedToken, "token" | "bytes">>();
  function served({ token_id, logprob }: { token_id: number; logprob: number }): ServedToken {
    const text = known.get(token_id) ?? textOf(tokenizer, token_id);
    known.set(token_id, text);
    return { token_id, ...text, logprob };
  }
  const withTop = (entry: TokenLogProbability) => ({ ...served(entry), top: entry.top.map(served) });
  return (prompt_tokens, completions) => ({
    prompt_tokens,
    completions: completions.map(({ logprobs, ...completion }) => ({
      ...completion,
      completion_tokens: completion.token_ids.length,
      logprobs: logprobs === null ? null : logprobs.map(withTop),
    })),
  });
}

function textOf(tokenizer: Tokenizer, id: number): Pick<ServedToken, "token" | "bytes"> {
  const bytes = tokenizer.bytesOf(id);
  if (bytes !== null) return { token: new TextDecoder().decode(bytes), bytes: Array.from(bytes) };
  const token = tokenizer.decode([id], { keep_special: true });
  return { token, bytes: Array.from(new TextEncoder().encode(token)) };
}
