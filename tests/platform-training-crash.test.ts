import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { someRows, type TrainingPlace, trainingPlace } from "../src/engine/__fixtures__/model-folder.ts";
import { type Json, jsonl, sha256, startTrainingPlatform, type TrainingPlatform } from "./support/training-platform.ts";

const HYPERPARAMETERS = {
  training_type: "dpo",
  finetuning_type: "all_weights",
  epochs: 12,
  batch_size: 4,
  learning_rate: 1e-3,
  log_every_n_steps: 1,
  // Not at the end of an epoch; the best weights on the way, which is the default, are part of a checkpoint.
  pairwright: { checkpoint_every: 7 },
};

const start = (place: TrainingPlace) => startTrainingPlatform(place.dir, { models: [`tiny=${place.model}`] });

async function create({ call }: TrainingPlatform, hyperparameters: object = HYPERPARAMETERS): Promise<Json> {
  const job = { config: "local/tiny", dataset: "default/pairs", hyperparameters };
  const { status, body } = await call("POST", "/v1/customization/jobs", job);
  expect([status, body]).toEqual([200, expect.anything()]);
  return body;
}

async function weightsOf(platform: TrainingPlatform, { output_model }: Json): Promise<string> {
  const [repository, revision] = output_model.split("@");
  return sha256(await platform.download(`${repository}/resolve/${revision}/model.safetensors`));
}

/** Waits until a running job has made this many steps. */
async function steps(platform: TrainingPlatform, id: string, count: number): Promise<void> {
  for (;;) {
    const { steps_completed, status } = await platform.until(id, "pending", "running");
    if (status === "running" && steps_completed >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("kill -9 of the platform, again and again: the job goes on and ends with the weights of an undisturbed one", async () => {
  await using place = await trainingPlace();
  let platform = await start(place);
  await platform.upload("pairs", { "training/training_file.jsonl": jsonl(someRows()) });
  const whole = await create(platform);
  const undisturbed = await platform.until(whole.id, "completed");
  const expected = await weightsOf(platform, whole);

  const job = await create(platform);
  for (const reached of [1, 70]) {
    await steps(platform, job.id, reached);
    await platform.kill();
    platform = await start(place);
  }
  const status = await platform.until(job.id, "completed");
  expect(await weightsOf(platform, job)).toBe(expected);
  expect(status.steps_completed).toBe(undisturbed.steps_completed);
  const curve = ({ metrics }: Json) => metrics.metrics.train_loss.map(({ step, value }: Json) => [step, value]);
  expect(curve(status)).toEqual(curve(undisturbed));
  expect(await platform.stop()).toBe(0);
}, 60_000);

test("a stop lets the step end; the job waits, resumable, and goes on at the next start", async () => {
  await using place = await trainingPlace();
  const first = await start(place);
  await first.upload("pairs", { "training/training_file.jsonl": jsonl(someRows()) });
  const long = { ...HYPERPARAMETERS, epochs: 2000 };
  const running = await create(first, long);
  const waiting = await create(first);
  await steps(first, running.id, 5);
  expect((await first.call("GET", `/v1/customization/jobs/${waiting.id}`)).body.status).toBe("pending");
  expect(await first.stop()).toBe(0);
  const work = join(first.data, "jobs", running.id);
  expect(existsSync(join(work, "output.training", "lock"))).toBe(false);

  const second = await start(place);
  await steps(second, running.id, 6);
  const { body: job } = await second.call("GET", `/v1/customization/jobs/${running.id}`);
  expect(job.status_details.status_logs.map(({ message }: Json) => message)).toContain("interrupted");
  expect((await second.call("POST", `/v1/customization/jobs/${running.id}/cancel`)).body.status).toBe("cancelling");
  await second.until(running.id, "cancelled");
  await second.until(waiting.id, "completed");
  await vi.waitFor(() => expect(existsSync(work)).toBe(false));
  const entity = await second.call("GET", `/v1/models/${running.output_model}`);
  expect(entity.body.artifact.status).toBe("upload_failed");
  expect(await second.stop()).toBe(0);
}, 60_000);

test("the training process killed from outside fails its job with the reason", async () => {
  await using place = await trainingPlace();
  const platform = await start(place);
  await platform.upload("pairs", { "training/training_file.jsonl": jsonl(someRows()) });
  const job = await create(platform, { ...HYPERPARAMETERS, epochs: 2000 });
  await steps(platform, job.id, 3);
  const lock = await readFile(join(platform.data, "jobs", job.id, "output.training", "lock"), "utf8");
  process.kill(Number(lock.split(" ")[0]), "SIGKILL");
  const status = await platform.until(job.id, "failed");
  expect(status.status_logs.at(-1)).toMatchObject({
    message: "TrainingJobFailed",
    detail: expect.stringMatching(/was killed by SIGKILL.*\(training_died\)/),
  });
  const logs = await platform.call("GET", `/v1/customization/jobs/${job.id}/container-logs`);
  expect(logs.body.error.exception_type).toBe("training_died");
  expect(await platform.stop()).toBe(0);
}, 60_000);
