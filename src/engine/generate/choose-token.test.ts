import { describe, expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { adjustLogits } from "./adjust-logits.ts";
import { tokenChooser } from "./choose-token.ts";
import { uniformAt } from "./counter-random.ts";
import { PLAIN_SAMPLING, type SamplingSettings } from "./sampling-settings.ts";

const settings = (changes: Partial<SamplingSettings>): SamplingSettings => ({ ...PLAIN_SAMPLING, ...changes });

function randomLogits(size: number, seed: number, spread = 4): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: size }, () => spread * (2 * random() - 1));
}

/** The exact probability of each token, by sorting all of them. */
function exactProbabilities(logits: Float32Array, { temperature, top_k, top_p, min_p }: SamplingSettings): number[] {
  const raw = Array.from(logits, (logit) => Math.exp(logit / temperature));
  const order = raw.map((_, id) => id).sort((a, b) => raw[b]! - raw[a]!);
  let kept = order.slice(0, top_k > 0 ? top_k : undefined);
  const share = kept.reduce((sum, id) => sum + raw[id]!, 0) * top_p;
  let so_far = 0;
  kept = kept.filter((id) => {
    const needed = so_far === 0 || so_far < share;
    so_far += raw[id]!;
    return needed;
  });
  kept = kept.filter((id) => raw[id]! >= min_p * raw[order[0]!]!);
  const total = kept.reduce((sum, id) => sum + raw[id]!, 0);
  return raw.map((weight, id) => (kept.includes(id) ? weight / total : 0));
}

const SETTINGS: Partial<SamplingSettings>[] = [
  {},
  { temperature: 0.5 },
  { temperature: 2.5 },
  { top_k: 1 },
  { top_k: 3 },
  { top_k: 500 },
  { top_p: 0.9 },
  { top_p: 0.1 },
  { top_p: 0 },
  { min_p: 0.2 },
  { min_p: 1 },
  { top_k: 8, top_p: 0.7 },
  { top_p: 0.95, min_p: 0.05, temperature: 1.5 },
  { top_k: 20, top_p: 0.9, min_p: 0.1, temperature: 0.8 },
];

describe.each(SETTINGS.map((changes) => [JSON.stringify(changes), changes] as const))("%s", (_, changes) => {
  test.each([5, 70, 300])("of %i tokens exactly the right ones are drawn, each as often as it should be", (size) => {
    const logits = randomLogits(size, size, size > 100 ? 8 : 4);
    const chosen = settings(changes);
    const expected = exactProbabilities(logits, chosen);
    const choose = tokenChooser(size);
    // An even grid of uniform numbers: the share of each token is its probability to within one point of the grid.
    const points = 1000;
    const counts = new Array<number>(size).fill(0);
    for (let point = 0; point < points; point += 1) counts[choose(logits, chosen, (point + 0.5) / points)]! += 1;
    for (const [id, count] of counts.entries()) {
      expect(Math.abs(count / points - expected[id]!)).toBeLessThan(1.01 / points);
      if (expected[id] === 0) expect(count).toBe(0);
    }
  });
});

test("a large and flat vocabulary of which most is needed: by share, and among equals by id", () => {
  const size = 1600;
  const logits = Float32Array.from({ length: size }, (_, id) => (id % 2 === 0 ? 0.5 : 0));
  const choose = tokenChooser(size);
  // More than one for the least likely of the kept tokens.
  const points = 2400;
  const total = (size / 2) * (Math.exp(0.5) + 1);
  for (const [top_p, min_p] of [
    [0.9, 0],
    [0.9, 0.9],
  ] as const) {
    const drawn = new Set<number>();
    for (let point = 0; point < points; point += 1) {
      drawn.add(choose(logits, settings({ top_p, min_p }), (point + 0.5) / points));
    }
    const likely = Math.min(size / 2, Math.ceil((top_p * total) / Math.exp(0.5)));
    const others = min_p > 0 ? 0 : Math.max(0, Math.ceil(top_p * total - likely * Math.exp(0.5)));
    const expected = [
      ...Array.from({ length: likely }, (_, at) => 2 * at),
      ...Array.from({ length: others }, (_, at) => 2 * at + 1),
    ];
    expect([...drawn].sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
    expect(likely + others).toBe(min_p > 0 ? 800 : 1389);
  }
});

test("drawn with the request's own numbers, frequencies are the probabilities (chi-square, p = 0.01)", () => {
  const logits = randomLogits(12, 3, 2);
  const chosen = settings({ temperature: 0.9 });
  const expected = exactProbabilities(logits, chosen);
  const choose = tokenChooser(12);
  const draws = 20_000;
  const counts = new Array<number>(12).fill(0);
  for (let place = 0; place < draws; place += 1) counts[choose(logits, chosen, uniformAt(11, 0, place))]! += 1;
  const chi_square = expected.reduce((sum, p, id) => sum + (counts[id]! - draws * p) ** 2 / (draws * p), 0);
  expect(chi_square).toBeLessThan(24.7); // 11 degrees of freedom
});

test("temperature 0 takes the likeliest token, the first of equal ones, whatever the number drawn", () => {
  const logits = Float32Array.of(1, 3, 3, -2);
  const choose = tokenChooser(4);
  expect([0, 0.5, 0.999999].map((uniform) => choose(logits, settings({ temperature: 0 }), uniform))).toEqual([1, 1, 1]);
});

test("a token that a bias forbids is never drawn", () => {
  const choose = tokenChooser(3);
  const logits = Float32Array.of(5, 1, 1);
  adjustLogits(logits, settings({ logit_bias: new Map([[0, Number.NEGATIVE_INFINITY]]) }), {
    seen: new Set(),
    counts: new Map(),
  });
  const drawn = new Set(Array.from({ length: 100 }, (_, at) => choose(logits, settings({}), at / 100)));
  expect([...drawn].sort()).toEqual([1, 2]);
});

test.each([
  ["not a number", [1, Number.NaN, 2]],
  ["infinite", [1, Number.POSITIVE_INFINITY, 2]],
  ["all forbidden", [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]],
])("logits that are %s are an error", (_, logits) => {
  const choose = tokenChooser(3);
  expect(() => choose(Float32Array.from(logits), settings({}), 0.5)).toThrow("logits that are not finite numbers");
});

test("penalties and bias, by hand", () => {
  const logits = Float32Array.of(2, -2, 4, 1, 0.5);
  const chosen = settings({
    repetition_penalty: 2,
    presence_penalty: 0.25,
    frequency_penalty: 0.5,
    logit_bias: new Map([
      [4, 1.5],
      [3, -1],
    ]),
  });
  // Token 0 in the prompt, 1 twice in the reply, 2 once in the reply.
  adjustLogits(logits, chosen, {
    seen: new Set([0, 1, 2]),
    counts: new Map([
      [1, 2],
      [2, 1],
    ]),
  });
  expect(Array.from(logits)).toEqual([2 / 2, -2 * 2 - 0.25 - 2 * 0.5, 4 / 2 - 0.25 - 0.5, 1 - 1, 0.5 + 1.5]);
});
