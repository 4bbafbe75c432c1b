import { largest } from "./largest.ts";

/** The log-probability of a token that was chosen, and of the likeliest tokens there. */
export interface TokenLogProbability {
  token_id: number;
  logprob: number;
  /** Likeliest first. The chosen token is among them only when it is one of them. */
  top: { token_id: number; logprob: number }[];
}

/** log(sum(exp(logits))), without overflow. */
export function logSumExp(logits: Float32Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id += 1) most = Math.max(most, logits[id] ?? 0);
  let total = 0;
  for (let id = 0; id < logits.length; id += 1) total += Math.exp((logits[id] ?? 0) - most);
  return most + Math.log(total);
}

/** What the model itself expects at a place: logits as they come, neither tempered nor penalised. */
export interface Expectation {
  of(token_id: number): TokenLogProbability;
}

/** Reads log-probabilities off logits [vocabulary] that will be overwritten: the likeliest `alternatives` of them at once. */
export function expectation(logits: Float32Array, alternatives: number): Expectation {
  const all = logSumExp(logits);
  const raw = logits.slice();
  const top = Array.from(largest(raw, alternatives), (token_id) => ({
    token_id,
    logprob: (raw[token_id] ?? 0) - all,
  }));
  return { of: (token_id) => ({ token_id, logprob: (raw[token_id] ?? 0) - all, top }) };
}
