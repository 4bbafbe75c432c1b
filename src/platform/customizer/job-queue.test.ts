import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { TrainingJob, TrainingResult } from "../../engine/train/training-job.ts";
import { usageError } from "../../lib/errors.ts";
import { silentLogger } from "../../lib/log.ts";
import { openDatastore } from "../datastore/datastore.ts";
import { entityStore } from "../entities/entity-store.ts";
import { platformMetrics } from "../metrics.ts";
import type { PlatformContext } from "../platform-context.ts";
import { openDatabase } from "../store/database.ts";
import { newId } from "../store/identifiers.ts";
import { timestamps } from "../store/timestamps.ts";
import { createJob, type JobParts } from "./create-job.ts";
import { customizerStore } from "./customizer-store.ts";
import { jobQueue } from "./job-queue.ts";
import type { Train } from "./run-job.ts";
import { seedModels } from "./seed-models.ts";

const dirs: string[] = [];

afterEach(async () => {
  for (const dir of dirs.splice(0)) await rm(dir, { recursive: true, force: true });
});

/** The parts of a platform with a target, a data set of two rows and no server. */
async function parts(): Promise<JobParts> {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-queue-"));
  dirs.push(dir);
  const database = openDatabase(join(dir, "platform.db"));
  const context: PlatformContext = {
    ...{ database, dir, newId, log: silentLogger, metrics: platformMetrics() },
    origin: () => "",
    times: timestamps(() => Date.now()),
  };
  const entities = entityStore(database);
  const datastore = await openDatastore(context);
  const all = { store: customizerStore(context), entities, datastore, context };
  const facts = { num_parameters: 1, context_size: 64, is_chat: true };
  seedModels(
    [{ namespace: "local", base: "tiny", version: "v1", machine: "CPU", dir: join(dir, "model"), ...facts }],
    all,
  );
  const stamps = { created_at: "2025-01-01T00:00:00", updated_at: "2025-01-01T00:00:00" };
  const empty = { description: null, project: null, custom_fields: {}, ownership: null };
  entities.namespaces.insert({ namespace: "", name: "default" }, { id: "default", ...stamps, ...empty });
  const key = { namespace: "default", name: "pairs" };
  entities.datasets.insert(key, {
    ...key,
    ...stamps,
    schema_version: "1.0",
    id: "d",
    files_url: "hf://datasets/default/pairs",
  });
  const rows = join(dir, "rows", "training");
  await mkdir(rows, { recursive: true });
  const row = (index: number) => ({ prompt: `p${index}`, chosen_response: "a", rejected_response: "b" });
  await writeFile(join(rows, "a.jsonl"), [row(1), row(2)].map((each) => JSON.stringify(each)).join("\n"));
  datastore.createRepo("dataset", "default/pairs");
  await datastore.commitFolder("dataset", "default/pairs", { summary: "rows", dir: join(dir, "rows") });
  return all;
}

const BODY = {
  config: "local/tiny",
  dataset: "default/pairs",
  hyperparameters: { finetuning_type: "all_weights" as const, training_type: "dpo" as const },
};

/** Writes what the engine would. */
async function written({ output }: TrainingJob): Promise<TrainingResult> {
  const result: TrainingResult = {
    ...{ model: output, ended: "finished", steps: 1, loss: { first: 1, last: 0.5 }, validation_loss: 0.5 },
    ...{ tokens_per_s: 1, seconds: 1, rows: 2, skipped: {}, metrics: {} },
  };
  await mkdir(output, { recursive: true });
  await writeFile(join(output, "model.safetensors"), "weights");
  await writeFile(join(output, "training_metrics.jsonl"), '{"step":1,"epoch":1,"loss":0.5}\n');
  await writeFile(join(output, "training.json"), JSON.stringify({ result }));
  return result;
}

function setUp(all: JobParts, train: Train, max_running = 1) {
  const workDir = (id: string) => join(all.context.dir, "jobs", id);
  const queue = jobQueue({ parts: all, train, max_running, workDir });
  const status = (id: string) => all.store.jobs.get(id)?.status;
  const until = async (id: string, wanted: string) => {
    while (status(id) !== wanted) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  const make = () => {
    const { id } = createJob(BODY, all);
    queue.add(id);
    return id;
  };
  return { queue, status, until, make, workDir };
}

/** A training that ends when it is told to, or asked to stop. */
function heldTraining() {
  const held: { job: TrainingJob; end: () => void }[] = [];
  const train: Train = (job, { signal, kill }) =>
    new Promise((resolve, reject) => {
      held.push({ job, end: () => void written(job).then(resolve, reject) });
      for (const each of [signal, kill]) each?.addEventListener("abort", () => reject(new Error("stopped")));
    });
  return { held, train };
}

test("no more than the stated number run; the others wait in the order in which they came", async () => {
  const { held, train } = heldTraining();
  const { queue, status, until, make } = setUp(await parts(), train, 2);
  const end = async (id: string) => {
    while (!held.some(({ job }) => job.output.includes(id))) await new Promise((resolve) => setTimeout(resolve, 2));
    held.find(({ job }) => job.output.includes(id))?.end();
    await until(id, "completed");
  };
  const [a, b, c, d] = [make(), make(), make(), make()];
  await until(b, "running");
  await until(d, "pending");
  expect([a, b, c, d].map(status)).toEqual(["running", "running", "pending", "pending"]);
  expect(queue.waiting()).toBe(2);
  await end(b);
  await until(c, "running");
  expect([a, d].map(status)).toEqual(["running", "pending"]);
  await end(a);
  await end(d);
  await end(c);
  expect(held).toHaveLength(4);
});

test("a job that is cancelled before its process begins never begins", async () => {
  let begun = 0;
  const train: Train = (job) => {
    begun += 1;
    return written(job);
  };
  const { queue, until, make } = setUp(await parts(), train);
  const ids = [make(), make()];
  const [id = "", next = ""] = ids;
  await until(id, "running");
  queue.cancel(id);
  await until(id, "cancelled");
  await until(next, "completed");
  expect(begun).toBe(1);
});

test("a stop leaves a running job pending, and one that does not listen is cut off at the limit", async () => {
  const all = await parts();
  const deaf: Train = (_job, { kill }) =>
    new Promise((_, reject) => kill?.addEventListener("abort", () => reject(new Error("killed"))));
  const first = setUp(all, deaf);
  const id = first.make();
  await first.until(id, "running");
  await first.queue.stop(20);
  expect(first.status(id)).toBe("pending");
  expect(all.store.jobs.get(id)?.status_details.status_logs.at(-1)?.message).toBe("interrupted");

  const second = setUp(all, written);
  second.queue.begin();
  await second.until(id, "completed");
  await second.queue.stop(20);
});

test("a platform that was killed after the training does not train again, and does not upload twice", async () => {
  const all = await parts();
  const first = setUp(all, written);
  const id = first.make();
  await first.until(id, "completed");
  const job = all.store.jobs.get(id);
  if (job === undefined) throw new Error("no job");
  const repository = `${job._plan.output.namespace}/${job._plan.output.name}`;
  const before = all.datastore.files("model", repository, id);
  while (existsSync(first.workDir(id))) await new Promise((resolve) => setTimeout(resolve, 2));
  // As if it had been killed between the upload and the last line in the database.
  all.store.jobs.put({ ...job, status: "running" });
  const result = await written({ output: join(first.workDir(id), "output") } as TrainingJob);
  expect(result.steps).toBe(1);
  const never: Train = () => Promise.reject(new Error("trained again"));
  const second = setUp(all, never);
  second.queue.begin();
  await second.until(id, "completed");
  expect(all.datastore.files("model", repository, id)).toEqual(before);
  expect(before.map(({ path }) => path)).toEqual(["model.safetensors", "training.json", "training_metrics.jsonl"]);
});

test("a training process that a killed platform left behind is waited for, and what it wrote is used", async () => {
  const all = await parts();
  let tries = 0;
  const locked: Train = async (job) => {
    tries += 1;
    if (tries === 1) throw usageError({ code: "locked", what: "process 1 is writing here" });
    await written(job);
    throw usageError({ code: "output_not_empty", what: "there is something here" });
  };
  const { until, make } = setUp(all, locked);
  await until(make(), "completed");
  expect(tries).toBe(2);
});

test("files that a client put under the output's name while the job ran are not taken for its model", async () => {
  const all = await parts();
  const { held, train } = heldTraining();
  const { until, make } = setUp(all, train);
  const id = make();
  while (held.length < 1) await new Promise((resolve) => setTimeout(resolve, 2));
  const repository = `default/${all.store.jobs.get(id)?._plan.output.name}`;
  all.datastore.createRepo("model", repository);
  await all.datastore.commitFolder("model", repository, {
    tag: id,
    summary: "mine",
    dir: join(all.context.dir, "rows"),
  });
  held[0]?.end();
  await until(id, "failed");
  expect(all.store.jobs.get(id)?.status_details.status_logs.at(-1)?.detail).toMatch(/\(output_taken\)$/);
});

test("at a start, what jobs that are over left behind goes, and a job that was being cancelled is cancelled", async () => {
  const all = await parts();
  const { queue, until, workDir } = setUp(all, written);
  const { id } = createJob(BODY, all);
  const job = all.store.jobs.get(id);
  if (job === undefined) throw new Error("no job");
  all.store.jobs.put({ ...job, status: "cancelling" });
  for (const each of [id, "cust-gone"]) await mkdir(join(workDir(each), "output"), { recursive: true });
  queue.begin();
  await until(id, "cancelled");
  while (existsSync(workDir(id)) || existsSync(workDir("cust-gone"))) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
});

test("curves are kept beside the job, also over a restart", async () => {
  const all = await parts();
  const told: Train = (job, { on_event }) => {
    for (const step of [1, 2, 3])
      on_event({ event: "record", record: { step, epoch: step / 4, loss: 1 / step }, steps: 4 });
    on_event({ event: "record", record: { step: 3, epoch: 0.75, eval_loss: 0.25 }, steps: 4 });
    return new Promise((_, reject) => setTimeout(() => reject(new Error(`no ${job.output}`)), 1));
  };
  const { until, make } = setUp(all, told);
  const id = make();
  await until(id, "failed");
  const again = customizerStore(all.context).jobs;
  expect(again.get(id)?.status_details).toMatchObject({
    steps_completed: 3,
    percentage_done: 75,
    steps_per_epoch: 4,
    metrics: { metrics: { train_loss: [], val_loss: [{ step: 2, value: 0.25 }] } },
  });
  expect(again.listed().all()[0]?.status_details.metrics.metrics.val_loss).toEqual([]);
});
