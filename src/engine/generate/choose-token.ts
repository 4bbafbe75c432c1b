import { PairwrightError } from "../../lib/errors.ts";
import { largest } from "./largest.ts";
import type { SamplingSettings } from "./sampling-settings.ts";

/** Chooses tokens for a vocabulary of one size; keeps its working memory from one token to the next. */
export type ChooseToken = (logits: Float32Array, settings: SamplingSettings, uniform: number) => number;

/** How many of the likeliest tokens are looked at first when `top_p` asks for a share of them. */
const FIRST_LOOK = 64;

/**
 * A chooser: logits [vocabulary], adjusted already, and a uniform number in [0, 1) to a token id. Temperature first, then
 * `top_k`, `top_p` of what is left, and `min_p`; what remains is drawn from in proportion to its probability. Equally
 * likely tokens are taken by their ids. Logits that are not numbers are the error `bad_logits`.
 */
export function tokenChooser(vocab_size: number): ChooseToken {
  const weights = new Float64Array(vocab_size);
  return (logits, settings, uniform) => {
    const best = likeliest(logits);
    if (settings.temperature === 0) return best;
    const total = fillWeights(weights, logits, logits[best] ?? 0, settings.temperature);
    const { top_k, top_p, min_p } = settings;
    if (top_k > 0 || top_p < 1) {
      const kept = likelyOnes(weights, total, top_k > 0 ? Math.min(top_k, vocab_size) : vocab_size, top_p);
      return drawn(weights, atLeast(weights, kept, min_p), uniform);
    }
    return drawnFromAll(weights, total, min_p, uniform);
  };
}

/** The id of the largest logit, the first of equal ones. */
function likeliest(logits: Float32Array): number {
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  let numbers = true;
  for (let id = 0; id < logits.length; id += 1) {
    const logit = logits[id] ?? 0;
    if (logit > most) {
      most = logit;
      best = id;
    } else if (Number.isNaN(logit)) numbers = false;
  }
  if (best >= 0 && numbers && most < Number.POSITIVE_INFINITY) return best;
  throw new PairwrightError({
    code: "bad_logits",
    what: "the model gives logits that are not finite numbers",
    fix: "its weights are damaged, or training let them grow without bound: use an earlier checkpoint",
  });
}

/** exp((logit - most) / temperature) of every token, and their sum. */
function fillWeights(weights: Float64Array, logits: Float32Array, most: number, temperature: number): number {
  const scale = 1 / temperature;
  let total = 0;
  for (let id = 0; id < weights.length; id += 1) {
    const weight = Math.exp(((logits[id] ?? 0) - most) * scale);
    weights[id] = weight;
    total += weight;
  }
  return total;
}

/** At most `top_k` of the likeliest tokens, likeliest first, and no more than it takes for the share `top_p` of their weight. */
function likelyOnes(weights: Float64Array, total: number, top_k: number, top_p: number): Int32Array {
  if (top_k < weights.length) {
    const kept = largest(weights, top_k);
    return kept.subarray(0, countUntil(weights, kept, top_p * sum(weights, kept)));
  }
  // A few tokens are most often enough; when not, more.
  for (let size = FIRST_LOOK; ; size *= 4) {
    const kept = largest(weights, size);
    const enough = countUntil(weights, kept, top_p * total);
    if (enough < kept.length || kept.length === weights.length) return kept.subarray(0, enough);
  }
}

function sum(weights: Float64Array, ids: Int32Array): number {
  let total = 0;
  for (const id of ids) total += weights[id] ?? 0;
  return total;
}

/** How many of the first ids it takes for their weights to come to `needed`; at least one. */
function countUntil(weights: Float64Array, ids: Int32Array, needed: number): number {
  let so_far = 0;
  for (let at = 0; at < ids.length; at += 1) {
    so_far += weights[ids[at] ?? 0] ?? 0;
    if (so_far >= needed) return at + 1;
  }
  return ids.length;
}

/** Ids are likeliest first: the first ones are those that are likely enough. The likeliest has weight 1. */
function atLeast(weights: Float64Array, ids: Int32Array, min_p: number): Int32Array {
  let end = ids.length;
  while (end > 1 && (weights[ids[end - 1] ?? 0] ?? 0) < min_p) end -= 1;
  return ids.subarray(0, end);
}

function drawn(weights: Float64Array, ids: Int32Array, uniform: number): number {
  let rest = uniform * sum(weights, ids);
  for (const id of ids) {
    rest -= weights[id] ?? 0;
    if (rest < 0) return id;
  }
  return ids.at(-1) ?? 0;
}

function drawnFromAll(weights: Float64Array, total: number, min_p: number, uniform: number): number {
  let left = total;
  if (min_p > 0) {
    left = 0;
    for (let id = 0; id < weights.length; id += 1) {
      if ((weights[id] ?? 0) < min_p) weights[id] = 0;
      left += weights[id] ?? 0;
    }
  }
  let rest = uniform * left;
  for (let id = 0; id < weights.length; id += 1) {
    rest -= weights[id] ?? 0;
    if (rest < 0) return id;
  }
  // Rounding left a little over: the last token that can be drawn at all.
  return weights.findLastIndex((weight) => weight > 0);
}
