import { expect, test } from "vitest";
import { SMALL } from "./__fixtures__/small-model.ts";
import { laneRows, laneSettings, lanesFor } from "./lanes.ts";
import { ANY_ROWS } from "./steady-sums.ts";
import { preferenceOf, TrainingOptions } from "./training-options.ts";

const LARGE = { ...SMALL, vocab_size: 400_000 };
const settingsOf = (config: typeof SMALL) => ({
  graph: {
    ...{ config, trainable: new Map(), preference: preferenceOf(TrainingOptions.parse({})), chunks: 1 },
    ...{ recompute: "nothing" as const, max_length: 8 },
  },
  ...{ frozen: new Map(), threads: 4 },
});

test("a large model has one lane with all threads, whose sums do not depend on how many there are", () => {
  expect(lanesFor(LARGE)).toBe(1);
  const settings = settingsOf(LARGE);
  expect(laneSettings(settings)).toBe(settings);
});

test("each lane of a small model has one thread, which needs nothing for that", () => {
  expect(lanesFor(SMALL)).toBe(2);
  const settings = settingsOf(SMALL);
  expect(laneSettings(settings)).toEqual({ ...settings, threads: 1, graph: { ...settings.graph, steady: false } });
});

test("nothing is filled up for the sums of lanes that have one thread each", () => {
  const wide = { ...SMALL, hidden_size: 192, intermediate_size: 384 };
  expect(laneRows(wide)).toBe(ANY_ROWS);
  expect(laneRows({ ...wide, vocab_size: 400_000 }).tokens).toBe(384);
});
