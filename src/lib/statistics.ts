/** The ends of a 95 % confidence interval. */
export interface Interval {
  low: number;
  high: number;
}

/** Sums of a stream of numbers, kept exactly: the same numbers in any order give the same figures to the last bit. */
export interface Moments {
  readonly n: number;
  /** Takes finite numbers only. */
  add(value: number): void;
  /** `null` when nothing was added. */
  mean(): number | null;
  /** With n - 1 below the line; `null` under two values. */
  variance(): number | null;
  /**
   * Of the mean: Wilson's when every value was 0 or 1, else Student's; `null` under two values, which say nothing of
   * how far others would lie. It takes the values for independent, which repetitions of one example are not quite.
   */
  interval(): Interval | null;
  /** The same of values that lie between 0 and 1 whatever is drawn, as the interval then does; where one did not, `interval`. */
  shareInterval(): Interval | null;
}

/**
 * Sums and sums of squares as whole numbers times a power of two, which every double is. Memory stays flat, and the
 * variance loses nothing when the values are large and close together.
 */
export function createMoments(): Moments {
  const scratch = new DataView(new ArrayBuffer(8));
  let n = 0;
  // The sums are sum * 2^exponent and squares * 2^(2 * exponent); the exponent only falls.
  let exponent = 0;
  let sum = 0n;
  let squares = 0n;
  let binary = true;
  let within = true;

  function add(value: number): void {
    if (!Number.isFinite(value)) throw new RangeError(`a mean of ${value} cannot be taken`);
    let digits: bigint;
    let power = 0;
    if (Number.isSafeInteger(value)) {
      digits = BigInt(value);
    } else {
      scratch.setFloat64(0, value);
      digits = digitsIn(scratch);
      power = powerIn(scratch);
    }
    if (power < exponent) {
      sum <<= BigInt(exponent - power);
      squares <<= BigInt(2 * (exponent - power));
      exponent = power;
    } else if (power > exponent) {
      digits <<= BigInt(power - exponent);
    }
    n += 1;
    sum += digits;
    squares += digits * digits;
    binary &&= value === 0 || value === 1;
    within &&= value >= 0 && value <= 1;
  }

  const mean = () => (n === 0 ? null : quotient(sum, BigInt(n), exponent));

  function variance(): number | null {
    if (n < 2) return null;
    return quotient(BigInt(n) * squares - sum * sum, BigInt(n) * BigInt(n - 1), 2 * exponent);
  }

  function interval(): Interval | null {
    const centre = mean();
    const spread = variance();
    if (centre === null || spread === null) return null;
    return binary ? wilsonInterval(Number(sum), n) : studentInterval(centre, spread, n);
  }

  function shareInterval(): Interval | null {
    const share = mean();
    const spread = variance();
    if (share === null || spread === null || binary || !within) return interval();
    return wilsonMeanInterval(share, spread, n);
  }

  return {
    get n() {
      return n;
    },
    ...{ add, mean, variance, interval, shareInterval },
  };
}

/** The double there is `digitsIn * 2 ** powerIn`. */
function digitsIn(double: DataView): bigint {
  const head = double.getUint32(0);
  const fraction = (head & 0xfffff) * 2 ** 32 + double.getUint32(4);
  const digits = BigInt(biasedPowerIn(double) === 0 ? fraction : fraction + 2 ** 52);
  return head >>> 31 === 1 ? -digits : digits;
}

function powerIn(double: DataView): number {
  return Math.max(1, biasedPowerIn(double)) - 1075;
}

function biasedPowerIn(double: DataView): number {
  return (double.getUint32(0) >>> 20) & 0x7ff;
}

/** `numerator / denominator * 2^exponent` as the nearest double. */
function quotient(numerator: bigint, denominator: bigint, exponent: number): number {
  if (numerator === 0n) return 0;
  const size = numerator < 0n ? -numerator : numerator;
  // At least 64 bits of quotient, and a last bit that says whether something was left over: Number() then rounds right.
  const shift = 68 - bitLength(size) + bitLength(denominator);
  const [above, below] = shift >= 0 ? [size << BigInt(shift), denominator] : [size, denominator << BigInt(-shift)];
  const digits = above / below;
  let value = Number(above % below === 0n ? digits : digits | 1n);
  let power = exponent - shift;
  // In steps, since 2 ** power alone may be out of range while the product is not.
  for (; power < -1000; power += 1000) value *= 2 ** -1000;
  for (; power > 1000; power -= 1000) value *= 2 ** 1000;
  value *= 2 ** power;
  return numerator < 0n ? -value : value;
}

function bitLength(value: bigint): number {
  return value.toString(16).length * 4;
}

function studentInterval(mean: number, variance: number, n: number): Interval {
  const half = studentQuantile975(n - 1) * Math.sqrt(variance / n);
  return { low: mean - half, high: mean + half };
}

const Z_975 = 1.959963984540054;

/** Of a share of successes (Wilson 1927, no correction for continuity). Never leaves [0, 1]; not empty at 0 or n. */
export function wilsonInterval(successes: number, n: number): Interval {
  const share = successes / n;
  const z2 = Z_975 * Z_975;
  const centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z_975 / (1 + z2 / n)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n));
  // At the ends the exact value is 0 or 1, which rounding misses by a hair.
  return {
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === n ? 1 : Math.min(1, centre + half),
  };
}

/**
 * Of the mean of `n` shares with that variance, not all 0 or 1: Wilson's with Student's t, for as many successes and
 * failures as would leave the mean as uncertain (the effective sample of Korn and Graubard 1998; with Wilson's, Dean and
 * Pagano 2015). Never leaves [0, 1].
 */
function wilsonMeanInterval(mean: number, variance: number, n: number): Interval {
  // Shares a last bit from 0 or 1 may have a mean that is rounded to it.
  if (mean === 0 || mean === 1) return wilsonInterval(mean * n, n);
  const t = studentQuantile975(n - 1);
  const square = variance / n;
  // t² over the effective sample.
  const pull = (t * t * square) / (mean * (1 - mean));
  const centre = (mean + pull / 2) / (1 + pull);
  const half = (t / (1 + pull)) * Math.sqrt(square + ((pull / t) * (pull / t)) / 4);
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/** The 0.975 quantile of Student's t with a whole number of degrees of freedom: what a two-sided 95 % interval needs. */
export function studentQuantile975(degrees: number): number {
  if (!Number.isInteger(degrees) || degrees < 1) throw new RangeError(`${degrees} degrees of freedom`);
  return degrees <= 200 ? quantileBySeries(degrees) : quantileByExpansion(degrees);
}

/** Halves the angle's range until nothing is left between its ends: t = sqrt(degrees) * tan(angle). */
function quantileBySeries(degrees: number): number {
  let low = 0;
  let high = Math.PI / 2;
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return Math.sqrt(degrees) * Math.tan(middle);
    if (centralShare(middle, degrees) < 0.95) low = middle;
    else high = middle;
  }
}

/** P(|T| <= t) as the finite sums of Abramowitz and Stegun 26.7.3 and 26.7.4. */
function centralShare(angle: number, degrees: number): number {
  const sine = Math.sin(angle);
  const cosine = Math.cos(angle);
  const odd = degrees % 2 === 1;
  let term = odd ? cosine : 1;
  let series = degrees === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= degrees - 2; k += 2) {
    term *= ((k - 1) / k) * cosine * cosine;
    series += term;
  }
  return odd ? (2 / Math.PI) * (angle + sine * series) : sine * series;
}

/** Cornish and Fisher's expansion around the normal quantile (Abramowitz and Stegun 26.7.5): 10 digits from 200 up. */
function quantileByExpansion(degrees: number): number {
  const z = Z_975;
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160,
  ];
  return terms.reduceRight((sum, term) => (sum + term) / degrees, 0) + z;
}
