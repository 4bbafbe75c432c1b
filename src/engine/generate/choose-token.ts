import { PairwrightError } from "../../lib/errors.ts";
import { largest } from "./largest.ts";
import type { SamplingSettings } from "./sampling-settings.ts";

/** Chooses tokens for a vocabulary of one size; keeps its working memory from one token to the next. */
export type ChooseToken = (logits: Float32Array, settings: SamplingSettings, uniform: number) => number;

/** How many of the likeliest tokens are looked at when `top_p` asks for a share of them: few first, then more, then all. */
const LOOKS = [64, 1024];

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
      if (kept) return drawn(weights, atLeast(weights, kept, min_p), uniform);
      dropTail(weights, top_p * total);
    }
    return drawnFromAll(weights, min_p, uniform);
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

/**
 * At most `top_k` of the likeliest tokens, likeliest first, and no more than it takes for the share `top_p` of their weight.
 * Undefined where that takes so many that going on looking for them would be slower than sorting.
 */
function likelyOnes(weights: Float64Array, total: number, top_k: number, top_p: number): Int32Array | undefined {
  if (top_k < weights.length) {
    const kept = largest(weights, top_k);
    return kept.subarray(0, countUntil(weights, kept, top_p * sum(weights, kept)));
  }
  for (const size of LOOKS) {
    const kept = largest(weights, size);
    const enough = countUntil(weights, kept, top_p * total);
    if (enough < kept.length || kept.length === weights.length) return kept.subarray(0, enough);
  }
  return undefined;
}

/** Makes every weight zero that is not among the largest ones that come to `needed`. */
function dropTail(weights: Float64Array, needed: number): void {
  const sorted = weights.slice().sort();
  let at = sorted.length;
  for (let so_far = 0; at > 0 && so_far < needed; ) {
    at -= 1;
    so_far += sorted[at] ?? 0;
  }
  const least = sorted[at] ?? 0;
  // Of equal weights at the border only as many as are needed, by their ids.
  let equals = 0;
  for (let place = at; sorted[place] === least && place < sorted.length; place += 1) equals += 1;
  for (let id = 0; id < weights.length; id += 1) {
    const weight = weights[id] ?? 0;
    if (weight < least) weights[id] = 0;
    else if (weight === least && --equals < 0) weights[id] = 0;
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

function drawnFromAll(weights: Float64Array, min_p: number, uniform: number): number {
  let left = 0;
  for (let id = 0; id < weights.length; id += 1) {
    const weight = weights[id] ?? 0;
    if (weight < min_p) weights[id] = 0;
    else left += weight;
  }
  let rest = uniform * left;
  for (let id = 0; id < weights.length; id += 1) {
    rest -= weights[id] ?? 0;
    if (rest < 0) return id;
  }
  // Rounding left a little over: the last token that can be drawn at all.
  return weights.findLastIndex((weight) => weight > 0);
}
