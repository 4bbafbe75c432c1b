import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { EXIT, PairwrightError } from "../../lib/errors.ts";
import { REDACTED } from "../../lib/scrub.ts";
import type { JobRecord } from "../../records/job.ts";
import { type FakeTrainingOptions, fakeTrainerAdapter } from "../../testing/fake-trainer-adapter.ts";
import { createJobFile, openJobFile } from "./job-file.ts";
import { train } from "./train.ts";

const undo: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0)) await each();
});

const SECRET = "key-0123456789";
const nothing = { path: "nowhere", rows: 1 };
const down = () =>
  new PairwrightError({ code: "platform_unreachable", what: "nobody answers", exit_code: EXIT.unreachable });

/** A job in a folder of its own, with a clock that sleeping moves on. */
async function place(options: FakeTrainingOptions, training = nothing) {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-train-"));
  undo.push(() => rm(dir, { recursive: true }));
  const fake = fakeTrainerAdapter(options);
  let now = 0;
  const said: string[] = [];
  const log = {
    debug: () => undefined,
    info: (line: string) => void said.push(line),
    warn: (line: string) => void said.push(line),
  };
  const clock = {
    now: () => now,
    async sleep(ms: number, signal?: AbortSignal) {
      now += ms;
      signal?.throwIfAborted();
    },
  };
  const drain = new AbortController();
  const stop = new AbortController();
  const facts = { run_id: "r", tag: "tag-1", trainer_adapter: "a", type: "fake", place: "memory" };
  const file_options = { clock, scrub: (text: string) => text.replaceAll(SECRET, REDACTED) };
  async function run({ wait = true } = {}): Promise<{ error?: PairwrightError; record: JobRecord }> {
    const job = (await openJobFile(dir, file_options)) ?? (await createJobFile(dir, facts, [], file_options));
    const options = { backend: fake.backend, wait, clock, drain: drain.signal, stop: stop.signal, log };
    const error = await train({ training, validation: nothing }, job, options).then(
      () => undefined,
      (thrown: unknown) => thrown as PairwrightError,
    );
    const stored = JSON.parse(await readFile(join(dir, "job.json"), "utf8")) as JobRecord;
    expect(stored).toEqual(job.record);
    return { record: stored, ...(error && { error }) };
  }
  return { ...fake, run, said, drain, now: () => now };
}

test("a job is submitted, waited for, and its model deployed", async () => {
  const { run, calls, said } = await place({
    statuses: ["pending", { status: "running", progress: 50 }, "completed"],
    deployments: ["unready", "ready"],
    deploy_on_completion: true,
  });
  const { error, record } = await run();

  expect(error).toBeUndefined();
  expect(record).toMatchObject({
    ...{ id: "fake-1", status: "completed", progress: 100, model: "fake/model" },
    deployment: { name: "tag-1", status: "ready" },
  });
  expect(calls).toEqual([
    "submit",
    ...["status fake-1", "status fake-1", "status fake-1"],
    ...["deploy fake/model", "deployment tag-1", "deployment tag-1"],
  ]);
  expect(said).toEqual([
    "job fake-1: pending",
    "job fake-1: running, 50.0 %",
    "job fake-1: completed, 100.0 %",
    "deployment tag-1: unready",
    "deployment tag-1: ready",
  ]);
});

test("who does not wait comes back with the id, and another process goes on with it", async () => {
  const { run, calls, jobs } = await place({ deploy_on_completion: true });
  expect((await run({ wait: false })).record).toMatchObject({ id: "fake-1", status: "pending", deployment: null });
  expect(calls).toEqual(["submit"]);

  expect((await run()).record).toMatchObject({ status: "completed", deployment: { status: "ready" } });
  expect((await run()).error).toBeUndefined();
  expect(jobs).toEqual(["tag-1"]);
  expect(calls.filter((call) => call === "submit" || call.startsWith("deploy "))).toEqual([
    "submit",
    "deploy fake/model",
  ]);
});

test.each([
  [{ status: "failed", message: "bad rows", details: { status: "failed" } }, "training_failed"],
  [{ status: "failed", message: "CUDA out of memory" }, "training_out_of_memory"],
  [{ status: "failed", message: "NotEnoughResources" }, "training_out_of_memory"],
  [
    { status: "failed", message: "training: the job needs about 31.4 GB of memory and 24.0 GB are free" },
    "training_out_of_memory",
  ],
  [{ status: "cancelled" }, "training_cancelled"],
  [{ status: "completed", model: null }, "no_output_model"],
] as const)("a job that ends as %o is %s, and nothing is deployed", async (status, code) => {
  const { run, calls } = await place({ statuses: ["running", status], deploy_on_completion: true });
  const { error, record } = await run();
  expect(error).toMatchObject({ code, exit_code: EXIT.training_failed });
  expect(record).toMatchObject({ status: status.status });
  if ("details" in status) expect(record.details).toEqual(status.details);
  expect(calls.filter((call) => call.startsWith("deploy"))).toEqual([]);
});

test("a status that cannot be read three times in a row is unknown; less often it is only said", async () => {
  const twice = await place({ statuses: [down(), down(), "running", down(), down(), "completed"] });
  expect((await twice.run()).error).toBeUndefined();
  expect(twice.said.filter((line) => line.includes("failed: nobody answers"))).toHaveLength(4);

  const thrice = await place({ statuses: ["running", down(), down(), down()], deploy_on_completion: true });
  const { error, record } = await thrice.run();
  expect(error).toMatchObject({ code: "job_status_unknown", exit_code: EXIT.unreachable });
  expect(error?.what).toContain("nobody answers");
  expect(record).toMatchObject({ id: "fake-1", status: "unknown" });
  expect(thrice.calls).toHaveLength(5);
});

test("a word that nobody knows is said, and after three of them the state is unknown", async () => {
  const odd = { status: "unknown", backend_status: "frobnicating" } as const;
  const { run, said, calls } = await place({ statuses: [odd] });
  const { error } = await run();
  expect(error).toMatchObject({ code: "job_status_unknown", exit_code: EXIT.unreachable });
  expect(error?.what).toContain('"frobnicating"');
  expect(said).toHaveLength(3);
  expect(calls).toEqual(["submit", "status fake-1", "status fake-1", "status fake-1"]);
});

test("a deployment that is not ready in time ends with its last state; a longer time goes on with it", async () => {
  const given = { deploy_on_completion: true, polling: { poll_interval_seconds: 10, deployment_timeout_seconds: 25 } };
  const unready = { status: "unready", backend_status: "pending", message: "pulling the image" } as const;
  const { run, now, calls } = await place({ ...given, deployments: [...Array(4).fill(unready), "ready"] });
  const { error, record } = await run();
  expect(error).toMatchObject({ code: "deployment_timeout", exit_code: EXIT.training_failed });
  expect(error?.what).toContain("within 25 s; its last state is pending: pulling the image");
  expect(record.deployment).toMatchObject({ status: "unready", backend_status: "pending" });
  expect(now()).toBe(25_000);

  expect((await run()).record.deployment).toMatchObject({ status: "ready" });
  expect(calls.filter((call) => call.startsWith("submit"))).toHaveLength(1);
});

test("a deployment that fails, or cannot be asked, is told apart; both can be gone on with", async () => {
  const failed = await place({
    deploy_on_completion: true,
    deployments: [{ status: "failed", message: "no GPU" }, "ready"],
  });
  const first = await failed.run();
  expect(first.error).toMatchObject({ code: "deployment_failed", exit_code: EXIT.training_failed });
  expect(first.error?.what).toContain("no GPU");
  expect((await failed.run()).record.deployment).toMatchObject({ status: "ready" });
  // It is made anew: somebody may have removed what failed.
  expect(failed.calls.filter((call) => call.startsWith("deploy "))).toHaveLength(2);

  const silent = await place({ deploy_on_completion: true, deployments: [down(), down(), down(), "ready"] });
  const unknown = await silent.run();
  expect(unknown.error).toMatchObject({ code: "deployment_status_unknown", exit_code: EXIT.unreachable });
  expect(unknown.record.deployment).toMatchObject({ status: "unknown" });
  expect((await silent.run()).record.deployment).toMatchObject({ status: "ready" });
});

test("a deployment that somebody deleted while it was waited for is made anew by whoever goes on", async () => {
  const gone = new PairwrightError({ code: "deployment_gone", what: "not there", exit_code: EXIT.training_failed });
  const { run, calls } = await place({ deploy_on_completion: true, deployments: ["unready", gone, "ready"] });
  const first = await run();
  expect(first.error).toMatchObject({ code: "deployment_gone", exit_code: EXIT.training_failed });
  expect(first.record.deployment).toMatchObject({ status: "failed" });
  expect((await run()).record.deployment).toMatchObject({ status: "ready" });
  expect(calls.filter((call) => call.startsWith("deploy "))).toHaveLength(2);
});

test("without a row to train on nothing is submitted", async () => {
  const { run, calls } = await place({}, { ...nothing, rows: 0 });
  expect((await run()).error).toMatchObject({ code: "no_training_rows", exit_code: EXIT.no_pairs });
  expect(calls).toEqual([]);
});

test("what a backend repeats of a secret is nowhere in the record", async () => {
  const { run, said } = await place({
    statuses: [{ status: "failed", message: `denied: ${SECRET}`, details: [SECRET] }],
  });
  const { error, record } = await run();
  expect(error?.what).toContain("denied: [redacted]");
  expect(JSON.stringify(record)).not.toContain(SECRET);
  expect(said).not.toContain(SECRET);
});

test("stopped while waiting, the job is left to go on", async () => {
  const { run, drain, jobs } = await place({ statuses: ["running"] });
  drain.abort(new DOMException("interrupted", "AbortError"));
  const { error, record } = await run();
  expect(error).toMatchObject({ name: "AbortError" });
  expect(record).toMatchObject({ id: "fake-1", status: "running" });
  expect(jobs).toHaveLength(1);
});
