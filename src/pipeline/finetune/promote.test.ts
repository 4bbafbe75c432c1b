import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { PairwrightError } from "../../lib/errors.ts";
import type { JobRecord } from "../../records/job.ts";
import { type FakeTrainingOptions, fakeTrainerAdapter } from "../../testing/fake-trainer-adapter.ts";
import type { Measurement } from "../measure/measure-model.ts";
import { createJobFile, openJobFile } from "./job-file.ts";
import type { Judged } from "./measuring.ts";
import { promoteIfBetter } from "./promote.ts";

const undo: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0)) await each();
});

const clock = { now: () => 0, sleep: async () => undefined };
const MODEL = { model: "ns/m@1" } as Measurement;

/** A job whose model was measured, deployed as `tag`. */
async function measured(options: FakeTrainingOptions = {}, changes: Partial<JobRecord> = {}) {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-promote-"));
  undo.push(() => rm(dir, { recursive: true }));
  const facts = { run_id: "r", tag: "tag", trainer_adapter: "a", type: "fake", place: "memory" };
  const file_options = { clock, scrub: (text: string) => text };
  const job = await createJobFile(dir, facts, [], file_options);
  const deployment = { name: "tag", status: "ready" as const, backend_status: "ready", message: null };
  await job.update({ status: "completed", model: MODEL.model, deployment, ...changes });
  const fake = fakeTrainerAdapter({ deploy_on_completion: true, deployment_name: "mine", ...options });
  const said: string[] = [];
  const log = { debug: () => undefined, info: () => undefined, warn: (line: string) => void said.push(line) };
  async function judged(promoted: true | false | "inconclusive") {
    const { signal } = new AbortController();
    const training = { backend: fake.backend, secrets: [] as readonly string[] };
    const judgement = { before: MODEL, after: MODEL, verdict: { promoted } } as Required<Judged>;
    return await promoteIfBetter({ dir }, judgement, {
      ...{ training: training as never, clock, drain: signal, stop: signal, log },
    });
  }
  const record = async () => (await openJobFile(dir, file_options))?.record;
  return { ...fake, judged, record, said };
}

test.each([false, "inconclusive"] as const)(
  "what a model was measured by is deleted where it is not promoted (%s), once",
  async (promoted) => {
    const { judged, record, calls } = await measured();

    await judged(promoted);
    expect((await record())?.deployment).toMatchObject({ name: "tag", status: "deleted" });

    await judged(promoted);
    expect(calls).toEqual(["undeploy tag"]);
  },
);

test("what a promoted model was measured by goes when the configured deployment is ready, which stays", async () => {
  const { judged, record, calls } = await measured({ deployments: ["unready", "ready"] });

  await judged(true);
  expect((await record())?.deployment).toMatchObject({ name: "mine", status: "ready", promoted: true });
  expect(calls).toEqual(["deploy ns/m@1", "deployment mine", "deployment mine", "undeploy tag"]);

  await judged(true);
  expect(calls.slice(4)).toEqual(["deploy ns/m@1", "deployment mine"]);
});

test("without a configured name the promoted model stays deployed as it was measured", async () => {
  const { judged, record, calls } = await measured({ deployment_name: "tag" });

  await judged(true);
  expect((await record())?.deployment).toMatchObject({ name: "tag", status: "ready", promoted: true });
  expect(calls).not.toContain("undeploy tag");
});

test("a process that was killed after it deleted, and before it wrote that down, is followed by one that ends well", async () => {
  const deployment = { name: "tag", status: "deleted" as const, backend_status: "ready", message: null };
  const { judged, record, calls } = await measured({}, { deployment });

  await judged(true);
  expect((await record())?.deployment).toMatchObject({ name: "mine", promoted: true });
  expect(calls).not.toContain("undeploy tag");
});

test("a deployment that cannot be deleted is a warning", async () => {
  const undeploy_fault = new PairwrightError({ code: "platform_error", where: "DELETE", what: "it says 500" });
  const { judged, record, said } = await measured({ undeploy_fault });

  await judged(false);
  expect(said).toEqual(["the deployment tag was for measuring, and could not be deleted: DELETE: it says 500"]);
  expect((await record())?.deployment).toMatchObject({ status: "ready" });
});

test("a promoted deployment that failed is asked for anew by whoever goes on; one that is slow is waited for", async () => {
  const failed = await measured({ deployments: ["failed", "ready"] });
  await expect(failed.judged(true)).rejects.toMatchObject({ code: "deployment_failed" });
  expect((await failed.record())?.steps).toEqual({});
  // It was measured by this one, which may be needed again.
  expect((await failed.record())?.deployment).toMatchObject({ name: "tag", status: "ready" });
  expect(await failed.judged(true)).toMatchObject({ job: { deployment: { name: "mine", promoted: true } } });

  const slow = await measured({ deployments: ["unready", "ready"], polling: { deployment_timeout_seconds: 0 } });
  await expect(slow.judged(true)).rejects.toMatchObject({ code: "deployment_timeout" });
  expect(Object.keys((await slow.record())?.steps ?? {})).toEqual(["promoted_deployment"]);
  expect(await slow.judged(true)).toMatchObject({ job: { deployment: { promoted: true } } });
});
