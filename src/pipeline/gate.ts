import { bootstrapMean } from "../lib/bootstrap.ts";
import { seededRandom } from "../lib/random.ts";
import type { Interval } from "../lib/statistics.ts";

/** What a trained model must show to take the old one's place. */
export interface GateCriteria {
  /** The least gain of the mean score. */
  min_gain: number;
  /** How sure that must be: a share, such as 0.95. */
  confidence: number;
  /** Fewer examples decide nothing. */
  min_n: number;
}

/** One held-out example, measured before and after; null is not scored. */
export interface PairedScore {
  before: number | null;
  after: number | null;
}

export interface GateVerdict {
  promoted: true | false | "inconclusive";
  /** Examples that have both scores. */
  n: number;
  /** Examples that lack one: they are in no figure. */
  unscored: number;
  /** Of these, scored before and not after: what the model does there is unknown, so nothing is promoted. */
  lost: number;
  /** After less before, over the same examples; null without any. */
  difference: number | null;
  interval: Interval | null;
  /** Where nothing is decided: about how many examples would, if the difference stays what it is; null: no number would. */
  examples_to_decide: number | null;
  /** One sentence. */
  reason: string;
}

/**
 * Whether the trained model is better, by the same examples before and after: yes when the whole interval of the mean
 * difference (bootstrap over examples, seeded) is above zero and reaches `min_gain`, no when all of it is below or nothing
 * differs, else inconclusive.
 */
export function judge(scores: readonly PairedScore[], criteria: GateCriteria, seed: number): GateVerdict {
  const { min_gain, confidence } = criteria;
  const least = Math.max(criteria.min_n, leastForChance(confidence));
  const differences = scores.flatMap(({ before, after }) =>
    before === null || after === null ? [] : [after - before],
  );
  const n = differences.length;
  const lost = scores.filter(({ before, after }) => before !== null && after === null).length;
  const found = { n, unscored: scores.length - n, lost };
  if (n === 0) {
    const reason = "no example has a score before and after";
    return { promoted: "inconclusive", ...found, difference: null, interval: null, examples_to_decide: least, reason };
  }
  const difference = differences.reduce((sum, value) => sum + value, 0) / n;
  const interval = bootstrapMean(differences, { confidence, random: seededRandom(seed) });
  const figures = { ...found, difference, interval };
  const undecided = (examples_to_decide: number | null, reason: string): GateVerdict => ({
    ...{ promoted: "inconclusive", ...figures, examples_to_decide, reason },
  });
  const few = n === 1 ? "1 example is" : `${n} examples are`;
  if (n < least) return undecided(least, `${few} fewer than the ${least} that a verdict needs`);
  const decided = { ...figures, examples_to_decide: null };
  const range = `${rounded(interval.low)} to ${rounded(interval.high)} at ${confidence * 100} %`;
  if (interval.low > 0 && interval.low >= min_gain) {
    if (lost > 0) return undecided(n + lost, `${lost} examples that were scored before were not scored after`);
    return { promoted: true, ...decided, reason: `the gain is ${rounded(difference)} (${range})` };
  }
  const asked = min_gain > 0 ? `the gain of ${min_gain} that is asked for` : "a gain";
  // No difference in any example is none; one that ends at zero holds it, as a single worse example among many does.
  const isNone = interval.low === 0 && interval.high === 0;
  if (isNone || interval.high < Math.max(0, min_gain)) {
    return {
      promoted: false,
      ...decided,
      reason: `the difference is ${rounded(difference)} (${range}), below ${asked}`,
    };
  }
  const needed = examplesToDecide(n, difference - min_gain, interval);
  const advice = needed === null ? "no number of examples would decide" : `about ${needed} examples would decide`;
  return undecided(
    needed,
    `the difference is ${rounded(difference)} (${range}), which ${asked} lies within; ${advice}`,
  );
}

/** So many differences lie on one side by chance in less than 1 - confidence of cases (the sign test): fewer show nothing. */
function leastForChance(confidence: number): number {
  return Math.ceil(Math.log2(2 / (1 - confidence)));
}

/** The interval's half width falls with the root of n; it has to be less than the distance. */
function examplesToDecide(n: number, distance: number, { low, high }: Interval): number | null {
  if (distance === 0) return null;
  const half = (high - low) / 2;
  return Math.max(n + 1, Math.ceil(n * (half / Math.abs(distance)) ** 2));
}

function rounded(value: number): string {
  return value.toFixed(3);
}
