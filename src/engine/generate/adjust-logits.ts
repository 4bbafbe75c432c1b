import type { SamplingSettings } from "./sampling-settings.ts";

/** What a text holds already. */
export interface History {
  /** Tokens of prompt and reply. */
  seen: ReadonlySet<number>;
  /** How often each token is in the reply. */
  counts: ReadonlyMap<number, number>;
}

/** Applies bias, then penalties, to logits in place. Only tokens that are named or were seen are touched. */
export function adjustLogits(logits: Float32Array, settings: SamplingSettings, { seen, counts }: History): void {
  const { logit_bias, repetition_penalty, presence_penalty, frequency_penalty } = settings;
  for (const [id, bias] of logit_bias) logits[id] = (logits[id] ?? 0) + bias;
  if (repetition_penalty !== 1) {
    for (const id of seen) {
      const logit = logits[id] ?? 0;
      logits[id] = logit > 0 ? logit / repetition_penalty : logit * repetition_penalty;
    }
  }
  if (presence_penalty === 0 && frequency_penalty === 0) return;
  for (const [id, count] of counts) {
    logits[id] = (logits[id] ?? 0) - presence_penalty - frequency_penalty * count;
  }
}
