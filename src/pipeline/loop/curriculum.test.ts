import { expect, test } from "vitest";
import { Finetuning } from "../../config/schema.ts";
import { chooseByCurriculum, curriculumAt } from "./curriculum.ts";

const settings = (more: object) =>
  Finetuning.parse({ curriculum_learning: { enabled: true, ...more } }).curriculum_learning;

test("the share of the examples grows every few rounds, up to all of them", () => {
  const at = (round: number) => curriculumAt(round, settings({ expansion_interval: 2 }))?.percentile;
  expect([1, 2, 3, 5, 7, 9, 20].map(at)).toEqual([0.3, 0.3, 0.5, 0.7, 0.9000000000000001, 1, 1]);
  expect(curriculumAt(1, settings({ enabled: false }))).toBeUndefined();
});

const SIGNALS = new Map(
  Object.entries({ a: 0.9, b: 0.7, c: 0.5, d: 0.3, alike: 1 }).map(([id, mean]) => [
    id,
    { mean, spread: id === "alike" ? 0.05 : 0.5 },
  ]),
);
const choose = (change: object, seed = 0) => [
  ...chooseByCurriculum(
    SIGNALS,
    { percentile: 0.5, min_reward_diff: 0.1, sort_ascending: false, random_subsample: null, ...change },
    seed,
  ),
];

test("examples whose scores are alike are left out; of the others the easiest come first, unless told otherwise", () => {
  expect(choose({})).toEqual(["a", "b"]);
  expect(choose({ sort_ascending: true })).toEqual(["d", "c"]);
  expect(choose({ percentile: 0.01 })).toEqual(["a"]);
  expect(choose({ percentile: 1, min_reward_diff: 0 })).toEqual(["alike", "a", "b", "c", "d"]);
  expect(choose({ min_reward_diff: 1 })).toEqual([]);
});

test("of the chosen ones a share is drawn by the seed", () => {
  const drawn = (seed: number) => choose({ percentile: 1, random_subsample: 0.5 }, seed);
  expect(drawn(1)).toHaveLength(2);
  expect(drawn(1)).toEqual(drawn(1));
  expect(new Set([1, 2, 3, 4, 5].map((seed) => drawn(seed).sort().join())).size).toBeGreaterThan(1);
});
