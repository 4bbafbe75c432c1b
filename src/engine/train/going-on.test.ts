import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { someRows, TINY_MODEL, type TrainingPlace, trainingPlace } from "../__fixtures__/model-folder.ts";
import { initialWeights } from "../model/initial-weights.ts";
import { readModelFolder } from "../weights/model-folder.ts";
import { writeModelFolder } from "../weights/write-model-folder.ts";
import { type TrainModelOptions, trainModel } from "./train-model.ts";
import { type TrainingEvent, TrainingJob } from "./training-job.ts";

/** What is kept of a job that was stopped or refused, and what the next one may go on with. */

const train = (
  { model, dataset, output }: TrainingPlace,
  { options, ...job }: Record<string, unknown> = {},
  how: TrainModelOptions = {},
) => {
  const hyperparameters = { epochs: 2, learning_rate: 0.003, batch_size: 8, ...(options as object) };
  return trainModel(TrainingJob.parse({ model, dataset, output, threads: 1, ...job, options: hyperparameters }), how);
};

function stopWhen(is: (told: TrainingEvent) => boolean): TrainModelOptions {
  const controller = new AbortController();
  return { signal: controller.signal, on_event: (told) => void (is(told) && controller.abort()) };
}

const afterStep = (step: number) => stopWhen((told) => told.event === "record" && told.record.step === step);
const CANCELLED = { code: "training_cancelled", exit_code: 130 };
const MISMATCH = { code: "checkpoint_mismatch", exit_code: 2 };

test("a stop before the first step is a stop, not a crash", async () => {
  await using place = await trainingPlace();
  const stop = stopWhen((told) => told.event === "stage" && told.stage === "reference");
  await expect(train(place, {}, stop)).rejects.toMatchObject({ ...CANCELLED, what: expect.stringContaining("before") });
});

test("a reference that is not finite is refused each time, and nothing of it is kept", async () => {
  await using place = await trainingPlace();
  const parameters = new Map((await readModelFolder(place.model)).parameters);
  const norm = parameters.get("model.norm.weight")!;
  parameters.set("model.norm.weight", { shape: norm.shape, data: norm.data.slice().fill(Number.NaN, 0, 1) });
  const reference_model = join(place.dir, "broken");
  await writeModelFolder(reference_model, { config: TINY_MODEL, parameters, dtype: "F32", source_dir: place.model });
  for (const _time of ["first", "again"]) {
    await expect(train(place, { reference_model })).rejects.toMatchObject({
      code: "loss_not_finite",
      where: "the reference model",
      exit_code: 5,
    });
  }
});

test("a checkpoint of the same weights under another config.json is not gone on with", async () => {
  await using place = await trainingPlace();
  await expect(train(place, {}, afterStep(2))).rejects.toMatchObject(CANCELLED);
  const path = join(place.model, "config.json");
  const config = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...config, rms_norm_eps: 0.1 }));
  await expect(train(place, { resume: true })).rejects.toMatchObject(MISMATCH);
});

test("an optimiser that was handed on is needed again to go on, and must fit", async () => {
  await using place = await trainingPlace();
  const first = join(place.dir, "first");
  await train(place, { output: first, save_optimizer: true, options: { epochs: 1 } });
  const given = { optimizer_from: first };
  await expect(train(place, given, afterStep(2))).rejects.toMatchObject(CANCELLED);
  await expect(train(place, { resume: true })).rejects.toMatchObject(MISMATCH);
  expect((await train(place, { ...given, resume: true })).steps).toBe(12);
  const lora = { ...given, output: join(place.dir, "lora"), options: { finetuning_type: "lora" } };
  await expect(train(place, lora)).rejects.toMatchObject({
    code: "optimizer_mismatch",
    exit_code: 2,
    where: "--optimizer_from",
  });
});

test("a step that fails is told by its number in this job, whatever optimiser was handed on", async () => {
  await using place = await trainingPlace();
  const first = join(place.dir, "first");
  await train(place, { output: first, save_optimizer: true, options: { epochs: 1 } });
  const options = { learning_rate: 1e30, schedule: "constant", max_grad_norm: null };
  await expect(train(place, { optimizer_from: first, options })).rejects.toMatchObject({
    code: "loss_not_finite",
    where: "step 2",
  });
});

test("a job goes on with less at a time, as it is told to when memory ran out", async () => {
  await using place = await trainingPlace();
  await expect(train(place, {}, afterStep(2))).rejects.toMatchObject(CANCELLED);
  const options = { recompute: true, max_tokens_per_micro_batch: 100, checkpoint_every: 5 };
  expect((await train(place, { resume: true, options })).steps).toBe(12);
});

test("a job that is refused costs no earlier job its checkpoint", async () => {
  await using place = await trainingPlace();
  await expect(train(place, {}, afterStep(2))).rejects.toMatchObject(CANCELLED);
  await expect(train(place, { dataset: join(place.dir, "typo"), overwrite: true })).rejects.toMatchObject({
    code: "dataset_missing",
  });
  expect(await readdir(`${place.output}.training`)).toContain("checkpoint-2");
});

test("what killed jobs left half written goes with the next one", async () => {
  await using place = await trainingPlace();
  const halves = [
    `${place.output}.training/.checkpoint-3.0123abcd.partial`,
    join(place.dir, ".output.0123abcd.partial"),
  ];
  const of_another = join(place.dir, ".output-2.0123abcd.partial");
  for (const path of [...halves, of_another]) await mkdir(path, { recursive: true });
  await expect(train(place, {}, afterStep(1))).rejects.toMatchObject(CANCELLED);
  expect([...halves, of_another].map((path) => existsSync(path))).toEqual([false, false, true]);
});

test("a reference model with another vocabulary is refused", async () => {
  await using place = await trainingPlace();
  const reference_model = join(place.dir, "other");
  const config = { ...TINY_MODEL, vocab_size: 40 };
  const parameters = initialWeights(config);
  await writeModelFolder(reference_model, { config, parameters, dtype: "F32", source_dir: place.model });
  await expect(train(place, { reference_model })).rejects.toMatchObject({
    code: "reference_mismatch",
    exit_code: 2,
    where: reference_model,
  });
});

test("stopping early without validation rows is refused", async () => {
  await using place = await trainingPlace();
  const options = { early_stopping_patience: 1 };
  await expect(train(place, { options })).rejects.toMatchObject({ code: "validation_missing", exit_code: 2 });
});

test("an output that cannot be written is told before anything is read", async () => {
  await using place = await trainingPlace();
  const file = join(place.dir, "file");
  await writeFile(file, "text");
  for (const output of [file, join(file, "output")]) {
    await expect(train(place, { output })).rejects.toMatchObject({ code: "output_not_writable", exit_code: 2 });
  }
});

test("rows that are cut are trained on: they are not counted as left out", async () => {
  await using place = await trainingPlace({
    rows: [...someRows(10), { ...someRows(1)[0], chosen_response: "yes because ".repeat(60) }],
  });
  expect(await train(place)).toMatchObject({ rows: 11, skipped: {} });
});

test("the estimate is of the steps that there will be", async () => {
  await using place = await trainingPlace();
  const told: string[] = [];
  const on_event = (event: TrainingEvent) =>
    void (event.event === "stage" && told.push(`${event.stage} ${event.detail}`));
  await train(place, { options: { max_steps: 1 } }, { on_event });
  expect(told.filter((text) => text.startsWith("estimate"))).toEqual([expect.stringContaining("48 rows, 1 steps")]);
});
