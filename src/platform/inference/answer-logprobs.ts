import type { ServedLogProbability, ServedToken } from "../../engine/generate/served-reply.ts";

/** JSON has no minus infinity; vLLM writes this for it. */
const LEAST = -9999;

function logprobOf({ logprob }: ServedToken): number {
  return Math.max(logprob, LEAST);
}

/** Log-probabilities as chats have them, of every token that was drawn: also the one that ended the text. */
export function chatLogprobs(tokens: readonly ServedLogProbability[] | null) {
  if (tokens === null) return null;
  const shown = (entry: ServedToken) => ({ token: entry.token, logprob: logprobOf(entry), bytes: entry.bytes });
  return { content: tokens.map((entry) => ({ ...shown(entry), top_logprobs: entry.top.map(shown) })) };
}

/** Log-probabilities as completions have them. Offsets count characters of the tokens' own texts. */
export function completionLogprobs(tokens: readonly ServedLogProbability[] | null) {
  if (tokens === null) return null;
  let offset = 0;
  const text_offset = tokens.map(({ token }) => {
    const at = offset;
    offset += Array.from(token).length;
    return at;
  });
  return {
    text_offset,
    token_logprobs: tokens.map(logprobOf),
    tokens: tokens.map(({ token }) => token),
    // The chosen token is among them, whether or not it is one of the likeliest.
    top_logprobs: tokens.map((entry) =>
      Object.fromEntries([...entry.top, entry].map((each) => [each.token, logprobOf(each)])),
    ),
  };
}
