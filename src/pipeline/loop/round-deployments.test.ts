import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLogger } from "../../lib/log.ts";
import type { JobRecord } from "../../records/job.ts";
import { fakeTrainerAdapter } from "../../testing/fake-trainer-adapter.ts";
import { createJobFile, openJobFile } from "../finetune/job-file.ts";
import type { RoundRecord } from "./loop-record.ts";
import { retireRounds, serveAgain } from "./round-deployments.ts";

let output_dir = "";
beforeEach(async () => {
  output_dir = await mkdtemp(join(tmpdir(), "pairwright-rounds-"));
});
afterEach(() => rm(output_dir, { recursive: true }));

const clock = { now: () => 0, sleep: async () => undefined };
const { signal } = new AbortController();
const file_options = { clock, scrub: (text: string) => text };
const common = { clock, stop: signal, drain: signal, log: silentLogger };

async function round(number: number, deployment: Partial<NonNullable<JobRecord["deployment"]>> = {}) {
  const run_id = `run-${number}`;
  await mkdir(join(output_dir, run_id));
  const facts = { run_id, tag: run_id, trainer_adapter: "a", type: "fake", place: "memory" };
  const job = await createJobFile(join(output_dir, run_id), facts, [], file_options);
  const usual = { name: run_id, status: "ready" as const, backend_status: "ready", message: null };
  await job.update({ status: "completed", model: `m${number}`, deployment: { ...usual, ...deployment } });
  return { round: number, run_id, model: `m${number}` } as RoundRecord;
}

const deploymentOf = async (number: number) =>
  (await openJobFile(join(output_dir, `run-${number}`), file_options))?.record.deployment;

test("what rounds deployed goes, but for those that are kept and those that were promoted", async () => {
  const { backend, calls } = fakeTrainerAdapter();
  const rounds = [await round(1), await round(2, { promoted: true }), await round(3), await round(4)];
  const options = { ...common, output_dir, training: { backend, secrets: [] } };

  await retireRounds({ rounds }, (one) => one.round === 3, options);
  expect(calls).toEqual(["undeploy run-1", "undeploy run-4"]);

  await retireRounds({ rounds }, () => false, options);
  expect(calls).toEqual(["undeploy run-1", "undeploy run-4", "undeploy run-3"]);
  expect((await deploymentOf(2))?.status).toBe("ready");
});

test("rounds that go on deploy the model again that was let go", async () => {
  const { backend, calls } = fakeTrainerAdapter();
  const options = { ...common, output_dir, training: { backend, secrets: [] } };
  const served = await round(1);
  expect(await serveAgain(served, options)).toBe(true);
  expect(calls).toEqual([]);

  await retireRounds({ rounds: [served] }, () => false, options);
  expect(await serveAgain(served, options)).toBe(true);
  expect(calls).toEqual(["undeploy run-1", "deploy m1", "deployment run-1"]);
  expect((await deploymentOf(1))?.status).toBe("ready");
});
