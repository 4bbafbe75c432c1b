import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exampleScores, metricName } from "./example-scores.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-scores-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("a figure is an evaluator's score, or one of its metrics, also where names hold dots", () => {
  const names = ["game", "judge.v2"];
  expect(metricName("game", names)).toEqual({ evaluator: "game", metric: null });
  expect(metricName("game.win_rate", names)).toEqual({ evaluator: "game", metric: "win_rate" });
  expect(metricName("judge.v2", names)).toEqual({ evaluator: "judge.v2", metric: null });
  expect(metricName("judge.v2.tone", names)).toEqual({ evaluator: "judge.v2", metric: "tone" });
  expect(metricName("judge", names)).toBeUndefined();
});

test("an example's figure is the mean of its repetitions; one that was never scored has none", async () => {
  const line = (example_id: string, rep: number, score: number | null, win: number | null, evaluator = "game") =>
    JSON.stringify({ evaluator, example_id, example_index: 0, rep, run_index: 0, score, metrics: { win } });
  const path = join(dir, "scores.jsonl");
  const lines = [
    line("a", 0, 1, 1),
    line("a", 1, 0.5, null),
    line("b", 0, null, 0),
    line("b", 0, 9, 9, "other"),
    line("c", 0, 0, null),
  ];
  await writeFile(path, `${lines.join("\n")}\n`);

  expect([...(await exampleScores(path, { evaluator: "game", metric: null }))]).toEqual([
    ["a", 0.75],
    ["b", null],
    ["c", 0],
  ]);
  expect([...(await exampleScores(path, { evaluator: "game", metric: "win" }))]).toEqual([
    ["a", 1],
    ["b", 0],
    ["c", null],
  ]);
});
