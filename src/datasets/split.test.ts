import { expect, test } from "vitest";
import { seededRandom } from "../lib/random.ts";
import { promptHash, SideFinder, type SplitItem, type SplitOptions, SplitSurvey, sideOfKey } from "./split.ts";

function split(items: readonly SplitItem[], options: SplitOptions) {
  const finder = new SideFinder(options);
  const survey = new SplitSurvey(options.by);
  for (const item of items) {
    const { prompt, example, own, prompts } = finder.factsOf(item);
    survey.add(prompt.hi, prompt.lo, example, own, prompts);
  }
  const { by, sideOf } = survey.decide();
  return { by, sides: items.map((_, pair) => sideOf(pair).side), moved: items.map((_, pair) => sideOf(pair).moved) };
}

const pair = (example: number, prompt: number, group?: string): SplitItem => ({
  example_id: `e${example}`,
  group,
  prompt_hash: promptHash(`p${prompt}`),
});

function randomItems(seed: number): SplitItem[] {
  const random = seededRandom(seed);
  const prompts = 1 + Math.floor(random() * 60);
  return Array.from({ length: 1 + Math.floor(random() * 80) }, () => {
    const group = random() < 0.7 ? `g${Math.floor(random() * 6)}` : undefined;
    return pair(Math.floor(random() * 20), Math.floor(random() * prompts), group);
  });
}

test.each(["auto", "example", "prompt", "group"] as const)("by %s no prompt of validation is in training", (by) => {
  let validation = 0;
  for (let seed = 0; seed < 200; seed += 1) {
    const items = randomItems(seed);
    const { sides } = split(items, { validation: 0.3, by });
    const training = new Set(items.filter((_, place) => sides[place] === "training").map((item) => item.prompt_hash));
    const held = items.filter((_, place) => sides[place] === "validation");
    validation += held.length;
    expect(held.filter((item) => training.has(item.prompt_hash))).toEqual([]);
  }
  expect(validation).toBeGreaterThan(200);
});

test("auto keeps examples whole when they share no prompt, and prompts when they do", () => {
  const apart = Array.from({ length: 60 }, (_, place) => pair(Math.floor(place / 3), place));
  const whole = split(apart, { validation: 0.3, by: "auto" });
  expect(whole.by).toBe("example");
  for (let place = 0; place < 60; place += 3) expect(new Set(whole.sides.slice(place, place + 3)).size).toBe(1);
  expect(new Set(whole.sides).size).toBe(2);
  expect(split([...apart, pair(0, 59)], { validation: 0.3, by: "auto" }).by).toBe("prompt");
});

test("what joins later moves nobody's side", () => {
  for (const by of ["example", "prompt"] as const) {
    const items = Array.from({ length: 100 }, (_, place) => pair(place, place));
    const before = split(items.slice(0, 40), { validation: 0.3, by }).sides;
    expect(split(items, { validation: 0.3, by }).sides.slice(0, 40)).toEqual(before);
    expect(
      split([...items].reverse(), { validation: 0.3, by })
        .sides.reverse()
        .slice(0, 40),
    ).toEqual(before);
  }
});

test("a validation pair whose prompt is in training goes there, and that is told", () => {
  const sideOf = (example: number) => sideOfKey("example", `e${example}`, 0.5);
  const examples = Array.from({ length: 20 }, (_, place) => place);
  const [inTraining = -1, inValidation = -1] = [
    examples.find((e) => sideOf(e) === "training"),
    examples.find((e) => sideOf(e) === "validation"),
  ];
  const items = [pair(inValidation, 1), pair(inValidation, 2), pair(inTraining, 1)];
  const { sides, moved } = split(items, { validation: 0.5, by: "example" });
  expect(sides).toEqual(["training", "validation", "training"]);
  expect(moved).toEqual([true, false, false]);
});

test("a group stays together; an example without one is its own", () => {
  const items = Array.from({ length: 40 }, (_, place) => pair(place, place, place < 30 ? `g${place % 10}` : undefined));
  const { sides } = split(items, { validation: 0.4, by: "group" });
  for (let place = 0; place < 10; place += 1)
    expect(new Set([sides[place], sides[place + 10], sides[place + 20]]).size).toBe(1);
  expect(sides[35]).toBe(sideOfKey("example", "e35", 0.4));
});

test("the share of validation is about what was asked, and none when none was", () => {
  const keys = Array.from({ length: 5000 }, (_, place) => sideOfKey("example", `e${place}`, 0.2));
  const share = keys.filter((side) => side === "validation").length / keys.length;
  expect(share).toBeGreaterThan(0.18);
  expect(share).toBeLessThan(0.22);
  expect(split([pair(0, 0)], { validation: 0, by: "auto" }).sides).toEqual(["training"]);
});

test("sides never change from one version to the next", () => {
  const sides = ["a", "b", "c", "d", "e", "f"].map((key) => sideOfKey("example", key, 0.5)[0]).join("");
  expect(sides).toMatchInlineSnapshot(`"ttttvv"`);
});
