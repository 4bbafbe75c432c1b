import type { Random } from "./random.ts";
import type { Interval } from "./statistics.ts";

const SAMPLES = 10_000;

/**
 * An interval for the mean of what these values are a sample of, by drawing from them again and again (Efron 1979, the
 * percentile method): nothing is assumed of their distribution. For paired differences, one value a pair. `confidence`
 * is a share, such as 0.95. The same values and the same `random` give the same interval. Errors: RangeError for no
 * value, or one that is not finite.
 */
export function bootstrapMean(
  values: readonly number[],
  { confidence, random, samples = SAMPLES }: { confidence: number; random: Random; samples?: number },
): Interval {
  const n = values.length;
  if (n === 0 || !values.every(Number.isFinite)) throw new RangeError("a bootstrap needs finite values, at least one");
  const means = new Float64Array(samples);
  for (let sample = 0; sample < samples; sample += 1) {
    let sum = 0;
    for (let draw = 0; draw < n; draw += 1) sum += values[Math.floor(random() * n)] ?? 0;
    means[sample] = sum / n;
  }
  means.sort();
  const tail = (1 - confidence) / 2;
  return { low: quantile(means, tail), high: quantile(means, 1 - tail) };
}

/** Between the two nearest of sorted values (Hyndman and Fan 1996, type 7). */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? 0;
  const above = sorted[Math.ceil(at)] ?? below;
  return below + (above - below) * (at - Math.floor(at));
}
