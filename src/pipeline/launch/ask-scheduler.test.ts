import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { oddFolder, toolFolder } from "./__fixtures__/tools.ts";
import { askScheduler } from "./ask-scheduler.ts";
import { localStanding, lockLaunch } from "./launch-lock.ts";
import type { LaunchJob } from "./submit.ts";

const NEVER = new AbortController().signal;
const JOBS: Record<LaunchJob["submitter"], LaunchJob> = {
  slurm: { submitter: "slurm", id: "41", followed_by: ["42"] },
  ray: { submitter: "ray", id: "launch-1", followed_by: [] },
  kubernetes: { submitter: "kubernetes", id: "job.batch/launch-1", followed_by: [] },
};

async function ask(submitter: LaunchJob["submitter"], scripts: Record<string, string>, limit_ms?: number) {
  await using folder = await oddFolder();
  const tools = await toolFolder(folder.dir, scripts);
  const options = { dir: folder.dir, manifest: "job.yaml", env: tools.env, signal: NEVER, limit_ms };
  return { standing: await askScheduler(JOBS[submitter], options), calls: await tools.calls(), dir: folder.dir };
}

const GONE = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1";
const REFUSED = "echo 'error: Unable to contact slurm controller' >&2; exit 1";

test.each([
  [
    "a shard runs",
    "echo '41_1 RUNNING'; echo '41_[2-3] PENDING'",
    "exit 9",
    "running",
    "41_1 RUNNING, 41_[2-3] PENDING",
  ],
  ["all of it waits", "echo '41 PENDING'", "exit 9", "waiting", "41 PENDING"],
  ["it was killed", GONE, "echo '41|OUT_OF_MEMORY'; echo '42|COMPLETED'", "failed", "41 OUT_OF_MEMORY, 42 COMPLETED"],
  ["it was cancelled", "", "echo '41|CANCELLED by 0'", "failed", "41 CANCELLED"],
  ["it came to its end", "", "echo '41|COMPLETED'", "ended", "41 COMPLETED"],
  ["no accounts are kept", GONE, "", "ended", "squeue knows 41,42 no more; sacct knows nothing of it"],
  ["the cluster does not answer", REFUSED, REFUSED, "unknown", /^squeue .*it ended with 1: error: Unable .*; sacct /],
] as const)("Slurm: %s", async (_, squeue, sacct, state, said) => {
  const { standing } = await ask("slurm", { squeue, sacct });
  expect(standing).toEqual({ state, said: typeof said === "string" ? said : expect.stringMatching(said) });
});

test("Slurm is asked for the jobs and for those after them", async () => {
  const { calls } = await ask("slurm", { squeue: "", sacct: "" });
  expect(calls).toEqual([
    ["squeue", "--noheader", "--jobs=41,42", "--format=%i %T"],
    ["sacct", "--noheader", "--parsable2", "--allocations", "--jobs=41,42", "--format=JobID,State"],
  ]);
});

test.each([
  ["echo \"Status for job 'launch-1': RUNNING\"", "running", "RUNNING"],
  ["echo \"Status for job 'launch-1': PENDING\"; echo 'Status message: it has not failed'", "waiting", "PENDING"],
  ["echo \"Job 'launch-1' succeeded\" >&2", "ended", "SUCCEEDED"],
  ["echo \"Job 'launch-1' failed\"", "failed", "FAILED"],
  ["echo \"Job 'launch-1' was stopped\"", "failed", "STOPPED"],
  ["echo hello", "unknown", "ray gave no state: hello"],
  ["exit 4", "unknown", "ray job status launch-1: it ended with 4"],
] as const)("Ray: %s", async (ray, state, said) => {
  expect((await ask("ray", { ray })).standing).toEqual({ state, said });
});

const condition = (type: string) => ({ type, status: "True", reason: "BackoffLimitExceeded", message: "it failed" });
test.each([
  [{ kind: "Job", status: { active: 2 } }, "running", "Job: 2 active"],
  [{ kind: "Job", status: {} }, "waiting", "Job: 0 active"],
  [{ kind: "Job", status: { conditions: [condition("Complete")] } }, "ended", "Job: Complete"],
  [
    { kind: "List", items: [{ kind: "Service" }, { kind: "Job", status: { conditions: [condition("Failed")] } }] },
    "failed",
    "Job: BackoffLimitExceeded: it failed",
  ],
  [{ kind: "RayJob", status: { jobStatus: "FAILED" } }, "failed", "RayJob: FAILED"],
  [
    { kind: "RayJob", status: { jobStatus: "", jobDeploymentStatus: "Initializing" } },
    "waiting",
    "RayJob: Initializing",
  ],
  [{ kind: "Pod" }, "unknown", expect.stringContaining("kubectl gave no state")],
] as const)("Kubernetes: %j", async (json, state, said) => {
  const { standing, calls, dir } = await ask("kubernetes", { kubectl: `echo '${JSON.stringify(json)}'` });
  expect(standing).toEqual({ state, said });
  expect(calls).toEqual([["kubectl", "get", "-f", join(dir, "job.yaml"), "-o", "json"]]);
});

test("a job that was deleted has ended, and a cluster that refuses is unknown", async () => {
  const server = "echo 'Error from server";
  const gone = await ask("kubernetes", {
    kubectl: `${server} (NotFound): jobs.batch "launch-1" not found' >&2; exit 1`,
  });
  expect(gone.standing).toEqual({ state: "ended", said: "job.batch/launch-1 is not there any more" });
  const refused = await ask("kubernetes", { kubectl: `${server} (Forbidden)' >&2; exit 1` });
  expect(refused.standing).toMatchObject({ state: "unknown", said: expect.stringContaining("(Forbidden)") });
});

test("a program that is not there, or that never ends, is said", async () => {
  expect((await ask("ray", {})).standing).toEqual({ state: "unknown", said: "ray is not on PATH" });
  const { standing } = await ask("kubernetes", { kubectl: "exec sleep 60" }, 100);
  expect(standing).toMatchObject({
    state: "unknown",
    said: expect.stringMatching(/^kubectl get .*did not end in time$/),
  });
});

test("what runs on this machine is known by its lock, whose process may be gone", async () => {
  await using folder = await oddFolder();
  const dir = join(folder.dir, "launch");
  await mkdir(dir);
  expect(await localStanding(dir)).toBeUndefined();
  const lock = await lockLaunch(dir);
  expect(await localStanding(dir)).toEqual({ state: "running", said: `process ${process.pid} is writing here` });
  await lock.release();
  expect(await localStanding(dir)).toBeUndefined();
  // No machine has so many processes.
  await writeFile(join(dir, "launch.lock"), "999999999");
  expect(await localStanding(dir)).toMatchObject({ state: "failed", said: expect.stringContaining("is gone") });
});
