import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { moveChances } from "./evaluate-model-chances.ts";
import { chanceFigures } from "./evaluate-model-report.ts";
import { reachablePositions } from "./positions.ts";
import { pairChances } from "./train-chances.ts";
import { playAndTrain } from "./train-round.ts";

const BASE = fileURLToPath(new URL("base-model", import.meta.url));
const SOME = reachablePositions().filter((_, index) => index % 8 === 0);

let output_dir = "";
beforeAll(async () => {
  output_dir = await mkdtemp(join(tmpdir(), "pairwright-train-test-"));
});
afterAll(() => rm(output_dir, { recursive: true }));

test("the base model plays, is trained by DPO on its own scored moves, and prefers the better ones more", async () => {
  const round = await playAndTrain({ model: BASE, output_dir, reps: 1, epochs: 10, seed: 0, quiet: true });
  expect(round.games).toBe(48);
  expect(round.pairs).toBeGreaterThan(100);

  const [before, after] = [await pairChances(BASE, round.dataset), await pairChances(round.trained, round.dataset)];
  expect(before.training.pairs + before.validation.pairs).toBe(round.pairs);
  expect(after.training.chosen).toBeGreaterThan(before.training.chosen + 0.04);
  expect(after.training.rejected).toBeLessThan(before.training.rejected - 0.02);

  expect(SOME).toHaveLength(565);
  const figures = chanceFigures(SOME, await moveChances(round.trained, SOME));
  expect(figures.well_formed).toBeGreaterThan(0.98);
  expect(figures.keeps_value).toBeGreaterThan(chanceFigures(SOME, await moveChances(BASE, SOME)).keeps_value);
}, 60_000);
