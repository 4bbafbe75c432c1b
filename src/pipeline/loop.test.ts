import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Rounds } from "../config/schema.ts";
import type { RunManifest } from "../records/manifest.ts";
import type { FinetuneResult } from "./finetune/run-job.ts";
import { finishedRound } from "./loop/finished-round.ts";
import { NO_ROUNDS, type RoundRecord, readLoop, writeLoop } from "./loop/loop-record.ts";
import { isCutShort, roundUnderWay, whyEnded } from "./loop.ts";
import { createRunFolder } from "./run-folder.ts";

let output_dir = "";
beforeEach(async () => {
  output_dir = await mkdtemp(join(tmpdir(), "pairwright-loop-"));
});
afterEach(() => rm(output_dir, { recursive: true }));

async function run(
  started_at: string,
  failed: number,
  status: RunManifest["status"] = "completed",
  more: Partial<RunManifest> = {},
) {
  const folder = await createRunFolder(output_dir, {
    ...{ command: "finetune", status, pairwright_version: "0", node_version: "20", started_at },
    ...{ seed: 0, reps: 1, options: {}, policy_only: false, inputs: {}, outputs: {}, asked: { examples: 2 } },
    ...{ got: { completed: 2 - failed, failed }, missing: {}, counts: {}, notes: [] },
    ...more,
  });
  await mkdir(folder.path("dataset"));
  await writeFile(folder.path("dataset/manifest.json"), JSON.stringify({ pairs: 7, training: 6, validation: 1 }));
  await folder.close();
  return folder.manifest.run_id;
}

test("a round that is over is not gone on with as the next one, though examples of it failed", async () => {
  const first = await run("2026-01-01T10:00:00.000Z", 1);
  const record = { rounds: [{ round: 1, run_id: first } as RoundRecord] };
  const options = { output_dir, command: "finetune", resume: true };

  expect(await roundUnderWay(record, options)).toBe(false);

  const second = await run("2026-01-01T11:00:00.000Z", 0, "interrupted");
  expect(await roundUnderWay(record, options)).toBe(second);
  expect(await roundUnderWay(record, { ...options, resume: false })).toBe(false);
});

test("a round without pairs ends the rounds only where every example was played", () => {
  expect(isCutShort({ completed: 4, failed: 0 })).toBe(false);
  expect(isCutShort({ completed: 3, failed: 1 })).toBe(true);
  expect(isCutShort({ completed: 0, failed: 0 })).toBe(true);
});

test("a round that was over when the process was killed is not played again, unless a record has it", async () => {
  const at = (hour: number) => ({
    started_at: `2026-01-01T${hour}:00:00.000Z`,
    of: { output_dir, command: "finetune" },
  });
  const first = await run(at(10).started_at, 0, "completed", { round: 1, finished_at: "2026-01-01T10:00:09.000Z" });
  const found = await finishedRound(1, at(10).of);
  expect(found).toMatchObject({ run_dir: join(output_dir, first), seconds: 9, completed: 2, pairs: { pairs: 7 } });
  expect(await finishedRound(2, at(10).of)).toBeUndefined();

  await writeLoop(output_dir, { ...NO_ROUNDS, rounds: [{ run_id: first } as RoundRecord] });
  await rename(join(output_dir, "loop.json"), join(output_dir, `loop-${first}.json`));
  expect(await finishedRound(1, at(10).of)).toBeUndefined();

  await run(at(11).started_at, 0, "completed", { round: 1 });
  expect(await finishedRound(1, at(11).of)).toMatchObject({ completed: 2 });
  // What is under way is gone on with, and what is left of it is played.
  await run(at(12).started_at, 0, "interrupted", { round: 1 });
  expect(await finishedRound(1, at(12).of)).toBeUndefined();
  // Without a job, examples that failed are played first.
  await run(at(13).started_at, 1, "completed", { round: 1 });
  expect(await finishedRound(1, at(13).of)).toBeUndefined();
});

test("a goal ends the rounds when as many as were asked for have reached it, one after the other", () => {
  const goal = { metric: "score", at_least: 1, in_a_row: 2 };
  const ended = (reached: boolean[], change: object = {}) => {
    const rounds = reached.map(
      (each, at) => ({ round: at + 1, model: "m", reached: each, chosen_reward: null }) as RoundRecord,
    );
    const champion = { round: rounds.length, model: "m", score: 1 };
    return whyEnded(
      { ...NO_ROUNDS, champion, rounds },
      {} as FinetuneResult,
      { goal, patience: null, displacement: { at_least: 0, stop: true }, ...change } as Rounds,
    );
  };
  expect(ended([true])).toBe(null);
  expect(ended([true, false, true])).toBe(null);
  expect(ended([false, true, true])).toBe("the goal is reached: score of at least 1, in 2 rounds one after the other");
  expect(ended([true], { goal: { ...goal, in_a_row: 1 } })).toBe("the goal is reached: score of at least 1");
  expect(ended([true, true], { goal: undefined })).toBe(null);
});

test("a round that leaves no pairs is success where the goal is reached, and is told apart where it is not", () => {
  const ended = (reached: boolean, goal?: object) => {
    const rounds = [{ round: 1, model: "m", reached } as RoundRecord, { round: 2, model: null } as RoundRecord];
    const champion = { round: 1, model: "m", score: 1 };
    const result = { pairs: { skipped: { equal_scores: 9 } } } as unknown as FinetuneResult;
    return whyEnded({ ...NO_ROUNDS, champion, rounds }, result, { goal } as Rounds);
  };
  const goal = { metric: "score", at_least: 1, in_a_row: 5 };
  const none = "no pairs are left (equal_scores 9)";
  expect(ended(true, goal)).toBe(`the model is consistent, and the goal is reached: score of at least 1; ${none}`);
  expect(ended(false, goal)).toBe(`${none}, and the goal is not reached: score of at least 1`);
  expect(ended(false)).toBe(none);
});

test("a record of rounds that cannot be read is an error of use, not a new beginning", async () => {
  await writeFile(join(output_dir, "loop.json"), '{"rounds": [');
  await expect(readLoop(output_dir)).rejects.toMatchObject({ code: "bad_loop_file", exit_code: 2 });
});

test("rounds end, where they are told to, when chosen replies have become less likely than the reference finds them", () => {
  const ended = (chosen_reward: number | null, stop: boolean) => {
    const rounds = [{ round: 1, model: "m", chosen_reward } as RoundRecord];
    const champion = { round: 1, model: "m", score: 1 };
    const asked = { patience: null, displacement: { at_least: -0.1, stop } } as Rounds;
    return whyEnded({ ...NO_ROUNDS, champion, rounds }, {} as FinetuneResult, asked);
  };
  expect(ended(-0.2, true)).toBe("likelihood displacement: the reward of the chosen replies is -0.2000, below -0.1");
  expect(ended(-0.2, false)).toBe(null);
  for (const fine of [null, 0.1, -0.1]) expect(ended(fine, true)).toBe(null);
});
