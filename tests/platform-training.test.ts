import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { someRows, type TrainingPlace, trainingPlace } from "../src/engine/__fixtures__/model-folder.ts";
import { type Json, jsonl, startTrainingPlatform, type TrainingPlatform } from "./support/training-platform.ts";

let place: TrainingPlace;
let platform: TrainingPlatform;

beforeAll(async () => {
  place = await trainingPlace();
  platform = await startTrainingPlatform(place.dir, { models: [`tiny=${place.model}`] });
  await platform.upload("pairs", {
    "training/training_file.jsonl": jsonl(someRows()),
    "validation/validation_file.jsonl": jsonl(someRows(8)),
  });
});

afterAll(async () => {
  expect(await platform.stop()).toBe(0);
  await place[Symbol.asyncDispose]();
});

/** As the toolkit sends them. */
const DPO = {
  training_type: "dpo",
  finetuning_type: "all_weights",
  epochs: 3,
  batch_size: 4,
  learning_rate: 3e-3,
  dpo: {
    ref_policy_kl_penalty: 0.1,
    preference_loss_weight: 1,
    preference_average_log_probs: false,
    sft_loss_weight: 0,
  },
};

async function create(body: object = {}): Promise<Json> {
  const job = { config: "local/tiny", dataset: "default/pairs", hyperparameters: DPO, ...body };
  const answer = await platform.call("POST", "/v1/customization/jobs", job);
  expect([answer.status, answer.body]).toEqual([200, expect.anything()]);
  return answer.body;
}

test("a job runs to its model, which any hub client finds", async () => {
  const job = await create({ dataset: { name: "pairs", namespace: "default" } });
  expect(job).toMatchObject({
    id: expect.stringMatching(/^cust-\w{22}$/),
    config: "local/tiny",
    dataset: "default/pairs",
    output_model: `default/local-tiny-pairs-all_weights@${job.id}`,
    status: "created",
    status_details: { percentage_done: 0, status_logs: [{ message: "created" }] },
    config_snapshot: { base_model: "local/tiny", max_seq_length: 128 },
    hyperparameters: { ...DPO, sequence_packing_enabled: false },
  });
  const entity = `/v1/models/default/local-tiny-pairs-all_weights@${job.id}`;
  expect((await platform.call("GET", entity)).body.artifact).toMatchObject({
    files_url: `hf://default/local-tiny-pairs-all_weights@${job.id}`,
  });

  const status = await platform.until(job.id, "completed");
  expect(status).toMatchObject({
    percentage_done: 100,
    steps_completed: 36,
    steps_per_epoch: 12,
    epochs_completed: 3,
    best_epoch: expect.any(Number),
    train_loss: expect.any(Number),
    val_loss: expect.any(Number),
  });
  expect(status.metrics.metrics.train_loss.map(({ step }: Json) => step)).toEqual([9, 19, 29]);
  expect(status.metrics.metrics.val_loss.map(({ step }: Json) => step)).toEqual([11, 23, 35]);
  expect(status.metrics.metrics.val_loss.at(-1).value).toBeLessThan(Math.LN2);
  expect((await platform.call("GET", entity)).body.artifact.status).toBe("upload_completed");
  const files = await platform.call("GET", `/v1/hf/api/models/default/local-tiny-pairs-all_weights/tree/${job.id}`);
  expect(files.body.map(({ path }: Json) => path)).toEqual(
    expect.arrayContaining(["config.json", "model.safetensors", "tokenizer.json", "training_metrics.jsonl"]),
  );
  const facts = await platform.download(`default/local-tiny-pairs-all_weights/resolve/${job.id}/training.json`);
  expect(facts.toString()).not.toContain(place.dir);
  expect(existsSync(join(platform.data, "jobs", job.id))).toBe(false);
});
