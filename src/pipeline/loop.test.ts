import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunManifest } from "../records/manifest.ts";
import type { RoundRecord } from "./loop/loop-record.ts";
import { isCutShort, roundUnderWay } from "./loop.ts";
import { createRunFolder } from "./run-folder.ts";

let output_dir = "";
beforeEach(async () => {
  output_dir = await mkdtemp(join(tmpdir(), "pairwright-loop-"));
});
afterEach(() => rm(output_dir, { recursive: true }));

async function run(started_at: string, failed: number, status: RunManifest["status"] = "completed") {
  const folder = await createRunFolder(output_dir, {
    ...{ command: "finetune", status, pairwright_version: "0", node_version: "20", started_at },
    ...{ seed: 0, reps: 1, options: {}, policy_only: false, inputs: {}, outputs: {}, asked: { examples: 2 } },
    ...{ got: { completed: 2 - failed, failed }, missing: {}, counts: {}, notes: [] },
  });
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
