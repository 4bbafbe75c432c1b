import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLogger } from "../lib/log.ts";
import type { Gate, RunManifest } from "../records/manifest.ts";
import { fakeTrainerAdapter } from "../testing/fake-trainer-adapter.ts";
import type { TrainingParts } from "./assemble-training.ts";
import { createJobFile } from "./finetune/job-file.ts";
import { gateOf, refuseLateGate } from "./finetune/measuring.ts";
import { waitForAnyJob } from "./jobs.ts";
import { createRunFolder } from "./run-folder.ts";

let output_dir = "";
beforeEach(async () => {
  output_dir = await mkdtemp(join(tmpdir(), "pairwright-jobs-"));
});
afterEach(() => rm(output_dir, { recursive: true }));

const clock = { now: () => 0, sleep: async () => undefined };
const planWith = (gate: Gate) => ({
  ...{ metric: "quality", criteria: { min_gain: 0, confidence: 0.95, min_n: 1 }, llm: "model", gate },
  held_out: { examples: 1, sha256: "" },
});

/** A run whose job was submitted by a process that did not wait. */
async function submitted(gate: Gate): Promise<string> {
  const folder = await createRunFolder(output_dir, {
    ...{ command: "finetune", status: "interrupted", pairwright_version: "0", node_version: "20" },
    ...{ started_at: "2026-01-01T10:00:00.000Z", seed: 0, reps: 1, options: {}, policy_only: false },
    ...{ inputs: {}, outputs: {}, asked: { examples: 2 }, got: { completed: 2, failed: 0 } },
    ...{ missing: {}, counts: {}, notes: [], plan: planWith(gate) },
  } satisfies Omit<RunManifest, "run_id">);
  await mkdir(folder.path("dataset"));
  await writeFile(folder.path("dataset/manifest.json"), JSON.stringify({ training: 1, validation: 0 }));
  const { run_id } = folder.manifest;
  const facts = { run_id, tag: "tag", trainer_adapter: "a", type: "fake", place: "memory" };
  const job = await createJobFile(folder.dir, facts, [], { clock, scrub: (text) => text });
  await job.update({ id: "fake-1", status: "pending" });
  await folder.close();
  return run_id;
}

/** What `jobs wait` has: adapters with the deployment's configured name, and with one of the model's own. */
function backends() {
  const made = (deployment_name: string) => {
    const fake = fakeTrainerAdapter({ deploy_on_completion: true, deployment_name });
    fake.jobs.push("tag");
    return { ...fake, parts: { backend: fake.backend, secrets: [] as readonly string[] } as TrainingParts };
  };
  return { configured: made("mine"), own: made("tag") };
}

test.each([
  ["exit", "tag"],
  ["on", "tag"],
  ["off", "mine"],
] as const)(
  "a job that was submitted with the gate %s is deployed as %s by whoever waits for it",
  async (gate, name) => {
    const run_id = await submitted(gate);
    const { configured, own } = backends();
    const { signal } = new AbortController();
    const waited = await waitForAnyJob(run_id, {
      ...{ output_dir, training: configured.parts, candidate: own.parts, wait: true, try_again: false, clock },
      ...{ drain: signal, stop: signal, log: silentLogger, now: () => 0, nonce: "x" },
    });

    expect(waited).toMatchObject({ run: { job: { deployment: { name, status: "ready" } } } });
    const deployed = [...configured.calls, ...own.calls].filter((call) => call.startsWith("deploy "));
    expect(deployed).toEqual(["deploy fake/model"]);
  },
);

test("what a run was begun with hangs on its verdict; only the exit code can be asked for later", () => {
  const of = (begun: Gate, now: Gate) => gateOf({ plan: planWith(begun) }, { gate: now });
  expect([of("exit", "off"), of("on", "off"), of("on", "exit"), of("off", "off")]).toEqual([
    ...["exit", "on", "exit", "off"],
  ]);
  const manifest = { plan: planWith("off") } as RunManifest;
  const now = { ...planWith("exit"), measures: () => true };
  expect(() => refuseLateGate({ dir: "run", manifest }, now)).toThrow("this run was begun without a gate");
});
