import { expect, test } from "vitest";
import { type Random, seededRandom } from "../../lib/random.ts";
import type { SkipCounts } from "../../registry/training.ts";
import { type ChooseOptions, type Couple, choosePairs, type Member, STRATEGIES } from "./choose-pairs.ts";
import { widestCouples } from "./widest-couples.ts";

const OPTIONS: ChooseOptions = {
  strategy: "same_prompt",
  min_gap: 0.2,
  high_threshold: 0.7,
  low_threshold: 0.4,
  max_pairs_per_task: 32,
  min_group_size: 2,
};

const member = (at: number, score: number, more: Partial<Member> = {}): Member => ({
  at,
  score,
  characters: 10,
  content: `c${at}`,
  truncated: false,
  rollout: at,
  ...more,
});

function choose(group: Member[], options: Partial<ChooseOptions> = {}) {
  const skipped: SkipCounts = {};
  const couples = choosePairs(group, { ...OPTIONS, ...options }, skipped);
  return { pairs: couples.map(({ chosen, rejected }) => [chosen.at, rejected.at]), skipped, couples };
}

function randomGroup(random: Random, size: number): Member[] {
  return Array.from({ length: size }, (_, at) =>
    member(at, Math.floor(random() * 11) / 10, {
      characters: Math.floor(random() * 20),
      content: `c${Math.floor(random() * size * 2)}`,
      truncated: random() < 0.2,
    }),
  );
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, draw: random() }))
    .sort((a, b) => a.draw - b.draw)
    .map(({ item }) => item);
}

test("the best over the worst; among equals those of nearest length", () => {
  expect(choose([member(0, 0.5), member(1, 1), member(2, 0)]).pairs).toEqual([[1, 2]]);
  const tied = [
    member(0, 1, { characters: 50 }),
    member(1, 1, { characters: 9 }),
    member(2, 0, { characters: 200 }),
    member(3, 0, { characters: 11 }),
    member(4, 0, { characters: 40 }),
  ];
  expect(choose(tied).pairs).toEqual([[1, 3]]);
});

test("what is chosen does not depend on the order of the rollouts", () => {
  const random = seededRandom(2);
  let pairs = 0;
  for (let round = 0; round < 300; round += 1) {
    const group = randomGroup(random, 2 + Math.floor(random() * 12));
    for (const strategy of STRATEGIES) {
      const expected = choose(group, { strategy, max_pairs_per_task: 5 });
      expect(choose(shuffled(group, random), { strategy, max_pairs_per_task: 5 }).couples.map(says)).toEqual(
        expected.couples.map(says),
      );
      pairs += expected.pairs.length;
    }
  }
  expect(pairs).toBeGreaterThan(500);
});

const says = ({ chosen, rejected, gap }: Couple) => [chosen.content, rejected.content, gap];

test("the nearest lengths of equals are those that looking at all of them finds", () => {
  const random = seededRandom(4);
  for (let round = 0; round < 300; round += 1) {
    const group = Array.from({ length: 2 + Math.floor(random() * 14) }, (_, at) =>
      member(at, random() < 0.5 ? 1 : 0, { characters: Math.floor(random() * 60) }),
    );
    const [couple] = choose(group).couples;
    const gaps = group
      .filter(({ score }) => score === 1)
      .flatMap((one) =>
        group.filter(({ score }) => score === 0).map((other) => Math.abs(one.characters - other.characters)),
      );
    if (couple === undefined) expect(gaps).toEqual([]);
    else expect(Math.abs(couple.chosen.characters - couple.rejected.characters)).toBe(Math.min(...gaps));
  }
});

test("no pair of any strategy breaks its rules", () => {
  const random = seededRandom(6);
  let looked = 0;
  for (let round = 0; round < 400; round += 1) {
    const group = randomGroup(random, 2 + Math.floor(random() * 10));
    for (const strategy of STRATEGIES) {
      for (const { chosen, rejected, gap } of choose(group, { strategy }).couples) {
        looked += 1;
        expect(chosen.truncated).toBe(false);
        expect(chosen.content).not.toBe(rejected.content);
        expect(gap).toBe(chosen.score - rejected.score);
        expect(gap).toBeGreaterThanOrEqual(0.2);
        if (strategy === "stratified") expect([chosen.score >= 0.7, rejected.score <= 0.4]).toEqual([true, true]);
      }
    }
  }
  expect(looked).toBeGreaterThan(1000);
});

test("rewards that differ in their last bits are equal, whatever the least gap", () => {
  const newton = [member(0, 1), member(1, 0.9999999999999998), member(2, 0.1)];
  expect(choose(newton, { strategy: "all_pairs", min_gap: 0 }).pairs).toEqual([
    [0, 2],
    [1, 2],
  ]);
  expect(choose(newton.slice(0, 2), { min_gap: 0 })).toMatchObject({ pairs: [], skipped: { equal_rewards: 1 } });
});

test("a gap is compared exactly, as the seeds' script does it", () => {
  expect(choose([member(0, 0.3), member(1, 0.1)])).toMatchObject({ pairs: [], skipped: { below_min_gap: 1 } });
  expect(choose([member(0, 0.5), member(1, 0.3)]).pairs).toEqual([[0, 1]]);
});

test("what was cut off is rejected, never chosen, and a better one that was passed over is counted", () => {
  const cut = { truncated: true };
  expect(choose([member(0, 1, cut), member(1, 0.5), member(2, 0)])).toMatchObject({
    pairs: [[1, 2]],
    skipped: { truncated_best: 1 },
  });
  expect(choose([member(0, 1), member(1, 0, cut)]).pairs).toEqual([[0, 1]]);
  expect(choose([member(0, 1, cut), member(1, 0, cut)])).toMatchObject({ pairs: [], skipped: { truncated_best: 1 } });
});

test("equal texts are one with the mean of their rewards; a row that was written twice is none", () => {
  const noisy = [
    member(0, 1, { content: "same" }),
    member(1, 0, { content: "same" }),
    member(2, 0.1),
    member(2, 0.1, { at: 9 }),
  ];
  const { couples, skipped } = choose(noisy);
  expect(couples).toMatchObject([{ chosen: { at: 0, score: 0.5 }, rejected: { at: 2 }, gap: 0.4 }]);
  expect(skipped).toEqual({ equal_text: 1, duplicate_rollout: 1 });
});

test("groups that are too small, and gaps that no number holds, are counted", () => {
  expect(choose([member(0, 1)]).skipped).toEqual({ single_rollout: 1 });
  expect(choose([member(0, 1), member(1, 0)], { min_group_size: 3 }).skipped).toEqual({ small_group: 2 });
  expect(choose([member(0, 1e308), member(1, -1e308)])).toMatchObject({ pairs: [], skipped: { infinite_gap: 1 } });
  expect(choose([member(0, 1e308), member(1, 1e307)]).pairs).toEqual([[0, 1]]);
  expect(choose([member(0, 0.6), member(1, 0)], { strategy: "stratified" }).skipped).toEqual({ no_high: 1 });
  expect(choose([member(0, 1), member(1, 0.5)], { strategy: "stratified" }).skipped).toEqual({ no_low: 1 });
});

test("the widest gaps of many are those of a full list, and their number is told", () => {
  const random = seededRandom(8);
  const isPair = ({ gap }: Couple) => gap >= 0.2;
  for (const size of [70, 90]) {
    const chosen = Array.from({ length: size }, (_, at) => member(at, random())).sort((a, b) => b.score - a.score);
    const rejected = [...chosen].reverse();
    const all = chosen
      .flatMap((one) => rejected.map((other) => one.score - other.score))
      .filter((gap) => gap >= 0.2)
      .sort((a, b) => b - a);
    const { couples, total } = widestCouples(chosen, rejected, 50, isPair);
    expect(couples.map(({ gap }) => gap)).toEqual(all.slice(0, 50));
    expect(total).toBe(all.length);
  }
});

test("a task of 100,000 rollouts is no list of five billion pairs", () => {
  const random = seededRandom(9);
  const group = Array.from({ length: 100_000 }, (_, at) => member(at, random(), { characters: at % 977 }));
  const { couples, skipped } = choose(group, { strategy: "all_pairs" });
  expect(couples).toHaveLength(32);
  expect(skipped.over_max_pairs).toBeGreaterThan(1e9);
  expect(choose(group).pairs).toHaveLength(1);
}, 20_000);
