import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { someRows, TINY_MODEL, type TrainingPlace, trainingPlace, writeDataset } from "../__fixtures__/model-folder.ts";
import { initialWeights } from "../model/initial-weights.ts";
import { readAdapter } from "../weights/adapter.ts";
import { readModelFolder } from "../weights/model-folder.ts";
import { writeModelFolder } from "../weights/write-model-folder.ts";
import { type TrainModelOptions, trainModel } from "./train-model.ts";
import { type TrainingEvent, TrainingJob } from "./training-job.ts";

function jobIn({ model, dataset, output }: TrainingPlace, given: Record<string, unknown> = {}): TrainingJob {
  const { options, ...job } = given;
  const hyperparameters = { epochs: 2, learning_rate: 0.003, batch_size: 8, ...(options as object) };
  return TrainingJob.parse({ model, dataset, output, threads: 1, ...job, options: hyperparameters });
}

const train = (place: TrainingPlace, given: Record<string, unknown> = {}, options: TrainModelOptions = {}) =>
  trainModel(jobIn(place, given), options);

const weightsIn = (dir: string) => readFile(join(dir, "model.safetensors"));

/** Aborts when this step is done. */
function stopAfter(step: number): TrainModelOptions {
  const controller = new AbortController();
  const on_event = (told: TrainingEvent) => {
    if (told.event === "record" && told.record.step === step) controller.abort();
  };
  return { signal: controller.signal, on_event };
}

test("a model learns to prefer what was chosen, and its folder is whole", async () => {
  await using place = await trainingPlace({ validation: someRows(6) });
  const result = await train(place);
  expect(result).toMatchObject({ steps: 12, rows: 48, skipped: {}, ended: "finished", model: place.output });
  expect(result.loss.first).toBeCloseTo(Math.LN2, 6);
  expect(result.loss.last).toBeLessThan(0.3);
  expect(result.metrics["rewards/accuracies"]).toBe(1);

  expect((await readdir(place.output)).sort()).toEqual([
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "training.json",
    "training_metrics.jsonl",
  ]);
  expect(existsSync(`${place.output}.training`)).toBe(false);
  const lines = (await readFile(join(place.output, "training_metrics.jsonl"), "utf8")).trim().split("\n");
  const records = lines.map((line) => JSON.parse(line) as Record<string, number>);
  expect(records.filter(({ eval_loss }) => eval_loss !== undefined).map(({ step }) => step)).toEqual([6, 12]);
  expect(records.filter(({ loss }) => loss !== undefined)).toHaveLength(12);
});

test.each([
  ["all weights", {}],
  ["LoRA", { finetuning_type: "lora" }],
  ["early stopping", { early_stopping_patience: 5, validation_every: 2 }],
])("stopped and gone on, %s ends with the same bytes", async (_name, options) => {
  await using place = await trainingPlace({ validation: someRows(5) });
  await train(place, { options });
  const whole = await weightsIn(place.output);
  const metrics = await readFile(join(place.output, "training_metrics.jsonl"), "utf8");

  const output = join(place.dir, "again");
  for (const step of [1, 5, 8]) {
    await expect(train(place, { output, options, resume: true }, stopAfter(step))).rejects.toMatchObject({
      code: "training_cancelled",
      exit_code: 130,
    });
    expect(existsSync(output)).toBe(false);
  }
  await train(place, { output, options, resume: true });
  expect((await weightsIn(output)).equals(whole)).toBe(true);
  const without_time = (text: string) => text.replaceAll(/"tokens_per_second":[^}]*/g, "");
  expect(without_time(await readFile(join(output, "training_metrics.jsonl"), "utf8"))).toBe(without_time(metrics));
});

test("a checkpoint of other options is not gone on with", async () => {
  await using place = await trainingPlace();
  await expect(train(place, {}, stopAfter(2))).rejects.toMatchObject({ code: "training_cancelled" });
  await expect(train(place, { resume: true, options: { learning_rate: 0.1 } })).rejects.toMatchObject({
    code: "checkpoint_mismatch",
    exit_code: 2,
  });
  await expect(train(place)).rejects.toMatchObject({ code: "unfinished_job", exit_code: 2 });
  expect((await train(place, { overwrite: true })).steps).toBe(12);
});

test("rounds with one reference and the optimiser handed on are one long training", async () => {
  await using place = await trainingPlace();
  const options = { schedule: "constant", shuffle: false };
  await train(place, { options: { ...options, epochs: 2 } });
  const [first, second] = [join(place.dir, "first"), join(place.dir, "second")];
  await train(place, { output: first, save_optimizer: true, options: { ...options, epochs: 1 } });
  await train(place, {
    model: first,
    output: second,
    reference_model: place.model,
    optimizer_from: first,
    options: { ...options, epochs: 1 },
  });
  expect((await weightsIn(second)).equals(await weightsIn(place.output))).toBe(true);
  await expect(train(place, { output: join(place.dir, "third"), optimizer_from: second })).rejects.toMatchObject({
    code: "optimizer_missing",
  });
});

test("a model that cannot change is told, and not written", async () => {
  await using place = await trainingPlace();
  // Of zeros nothing but zeros comes: every reply is as likely as any other, and no weight says otherwise.
  const zeros = await readModelFolder(place.model);
  for (const { data } of zeros.parameters.values()) data.fill(0);
  const model = join(place.dir, "zeros");
  await writeModelFolder(model, { ...zeros, dtype: "F32", source_dir: place.model });
  await expect(train(place, { model })).rejects.toMatchObject({ code: "no_gradient", exit_code: 5 });
  expect(existsSync(place.output)).toBe(false);
});

test("stopping early keeps the weights of the best validation", async () => {
  // What is learned is the opposite of what is validated on.
  const opposite = someRows(6).map(({ prompt, chosen_response, rejected_response }) => ({
    prompt,
    chosen_response: rejected_response,
    rejected_response: chosen_response,
  }));
  await using place = await trainingPlace({ validation: opposite });
  const options = { epochs: 20, early_stopping_patience: 2, validation_every: 1, warmup_steps: 1 };
  const result = await train(place, { options });
  expect(result).toMatchObject({ ended: "stopped_early", steps: 3 });
  // The first step of a warm-up changes nothing, so the best weights are those it began with.
  expect((await weightsIn(place.output)).equals(await weightsIn(place.model))).toBe(true);
});

test("an adapter is written beside the model that it is merged into", async () => {
  await using place = await trainingPlace();
  const options = { finetuning_type: "lora", lora: { rank: 4, alpha: 8, target_modules: ["q_proj", "up_proj"] } };
  await train(place, { options });
  const adapter = await readAdapter(join(place.output, "adapter"));
  expect(adapter).toMatchObject({ rank: 4, alpha: 8, base_model_name_or_path: place.model });
  const before = (await readModelFolder(place.model)).parameters;
  const after = (await readModelFolder(place.output)).parameters;
  const changed = [...after.keys()].filter(
    (name) =>
      Buffer.compare(Buffer.from(after.get(name)!.data.buffer), Buffer.from(before.get(name)!.data.buffer)) !== 0,
  );
  expect(changed.every((name) => /q_proj|up_proj/.test(name))).toBe(true);
  expect(changed).toHaveLength(4);
});

test("a job that cannot fit is refused before it begins, with what to change", async () => {
  await using place = await trainingPlace();
  await expect(train(place, {}, { available_memory: 100e6 })).rejects.toMatchObject({
    code: "memory_too_small",
    exit_code: 2,
    fix: expect.stringContaining("--finetuning_type lora"),
  });
});

const [row] = someRows(1);
test.each<[string, unknown[], string, string]>([
  ["an empty data set", [], "dataset_empty", "holds no row"],
  ["a row without a reply", [row, { prompt: "a", chosen_response: "b" }], "bad_line", '"rejected_response" is missing'],
  ["a row of another method", [{ prompt: "a", completion: "b" }], "bad_line", "this is a row for sft"],
  ["an empty reply", [{ ...row, chosen_response: "" }], "completion_empty", '"chosen_response" is empty'],
  ["prompts that are too long", [{ ...row, prompt: "word ".repeat(200) }], "dataset_unusable", "left out: the prompt"],
  ["equal replies", [{ ...row, rejected_response: row!.chosen_response }], "dataset_unusable", "the same tokens"],
])("%s is one clear error", async (_name, rows, code, what) => {
  await using place = await trainingPlace();
  await writeDataset(place.dataset, rows as never[]);
  await expect(train(place)).rejects.toMatchObject({
    code,
    exit_code: 2,
    what: expect.stringContaining(what),
    where: expect.stringContaining("training_file.jsonl"),
  });
  expect(existsSync(place.output)).toBe(false);
});

test("rows that cannot be used are left out, counted and told", async () => {
  await using place = await trainingPlace();
  await writeDataset(place.dataset, [
    ...someRows(10),
    { ...row, prompt: "word ".repeat(200) },
    { ...row, rejected_response: row!.chosen_response },
  ]);
  const told: string[] = [];
  const on_event = (event: TrainingEvent) => void (event.event === "warning" && told.push(event.message));
  const result = await train(place, {}, { on_event });
  expect(result).toMatchObject({ rows: 10, skipped: { too_long: 1, identical: 1 } });
  expect(told.join("\n")).toMatch(/line 11[\s\S]*line 12/);
});

test("a tokenizer of another model is refused", async () => {
  await using place = await trainingPlace();
  const config = { ...TINY_MODEL, vocab_size: 300 };
  const model = join(place.dir, "smaller");
  await writeModelFolder(model, { config, parameters: initialWeights(config), dtype: "F32", source_dir: place.model });
  await expect(train(place, { model })).rejects.toMatchObject({ code: "vocabulary_mismatch", where: model });
});

test("a chat template that throws is told with the row that it threw at", async () => {
  await using place = await trainingPlace();
  await writeFile(join(place.model, "chat_template.jinja"), "{{ raise_exception('no system prompt') }}");
  await expect(train(place)).rejects.toMatchObject({ code: "template_failed", exit_code: 2 });
});

test("an output folder with something in it is refused, and replaced when told if a job wrote it", async () => {
  await using place = await trainingPlace();
  await mkdir(place.output);
  await writeFile(join(place.output, "mine.txt"), "mine");
  const refused = { code: "output_not_empty", where: place.output, exit_code: 2 };
  await expect(train(place)).rejects.toMatchObject(refused);
  await expect(train(place, { overwrite: true })).rejects.toMatchObject(refused);
  expect(await readFile(join(place.output, "mine.txt"), "utf8")).toBe("mine");

  const output = join(place.dir, "trained");
  await train(place, { output });
  await writeFile(join(output, "old.txt"), "");
  await train(place, { output, overwrite: true });
  expect(await readdir(output)).not.toContain("old.txt");
});

test("a job in code needs what has no default, and a key that is not known is told", async () => {
  await using place = await trainingPlace();
  const { model, dataset, output } = place;
  expect((await trainModel({ model, dataset, output, options: { epochs: 1 } })).steps).toBe(12);
  const typo = { model, dataset, output, options: { training_typ: "sft" } };
  await expect(trainModel(typo as never)).rejects.toMatchObject({ code: "bad_job", where: "options", exit_code: 2 });
  await expect(trainModel({} as never)).rejects.toMatchObject({ code: "bad_job", where: "model" });
});

test("what a job reads, or works in, is never replaced", async () => {
  await using place = await trainingPlace();
  for (const needed of [place.model, place.dataset, place.dir]) {
    // Even where it looks like the output of a job.
    await writeFile(join(needed, "training.json"), "{}");
    const before = await readdir(needed);
    await expect(train(place, { output: needed, overwrite: true })).rejects.toMatchObject({
      code: "output_not_empty",
      what: expect.stringContaining("which this job needs"),
      fix: "name another folder",
    });
    expect(await readdir(needed)).toEqual(before);
  }
});

test("the validation loss that is told is that of the model that is written", async () => {
  await using place = await trainingPlace({ validation: someRows(6) });
  const result = await train(place);
  const lines = (await readFile(join(place.output, "training_metrics.jsonl"), "utf8")).trim().split("\n");
  const records = lines.map((line) => JSON.parse(line) as Record<string, number>);
  expect(result.validation_loss).toBe(records.findLast(({ eval_loss }) => eval_loss !== undefined)?.eval_loss);
});

test("SFT learns the replies, and no other token counts", async () => {
  const rows = Array.from({ length: 24 }, (_, i) => ({ prompt: `say ${i % 6}`, completion: `word ${i % 6}` }));
  await using place = await trainingPlace({ rows, validation: rows.slice(0, 3) });
  const result = await train(place, { options: { training_type: "sft", epochs: 10, learning_rate: 0.01 } });
  expect(result.loss.first).toBeGreaterThan(5);
  expect(result.loss.last).toBeLessThan(1);
  expect(result.validation_loss).toBeLessThan(1);
});
