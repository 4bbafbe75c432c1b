import { expect, test } from "vitest";
import { nemoRlInput, trlInput } from "./__fixtures__/launch-inputs.ts";
import { planLaunch } from "./plan-launch.ts";
import { trainingShape } from "./training-shape.ts";

const EIGHT = { nodes: 1, gpus: 8 };
const rows = (count: number) => ({
  files: { training: { path: "/t.jsonl", rows: count }, validation: { path: "/v.jsonl", rows: 10 } },
});
const settings = (hyperparameters: object, options: object = {}) => ({ options: { hyperparameters, ...options } });

test("NeMo RL leaves out what is no whole batch, TRL makes a smaller step of it", () => {
  const batch = settings({ batch_size: 32, epochs: 2 });
  expect(trainingShape(nemoRlInput({ ...rows(100), ...batch }))).toMatchObject({ steps_per_epoch: 3, total_steps: 6 });
  expect(trainingShape(trlInput({ ...rows(100), ...batch }))).toMatchObject({ steps_per_epoch: 4, total_steps: 8 });
  expect(trainingShape(nemoRlInput({ ...rows(31), ...batch })).total_steps).toBe(0);
});

test("a limit of steps ends NeMo RL early, and lets TRL go on for more epochs", () => {
  const batch = settings({ batch_size: 32, epochs: 1, max_steps: 10 });
  expect(trainingShape(nemoRlInput({ ...rows(100), ...batch })).total_steps).toBe(3);
  expect(trainingShape(trlInput({ ...rows(100), ...batch })).total_steps).toBe(10);
  expect(
    trainingShape(trlInput({ ...rows(100), ...settings({ batch_size: 32, epochs: 1, max_steps: -1 }) })).total_steps,
  ).toBe(4);
});

test("a batch divides over the copies of the model, two pairs at a time where that is possible", () => {
  const shape = (batch_size: number, options: object = {}, machine = EIGHT) =>
    trainingShape(nemoRlInput({ machine, ...settings({ batch_size }, options) }));
  expect(shape(64)).toMatchObject({ data_parallel: 8, micro_batch_size: 2 });
  expect(shape(8)).toMatchObject({ data_parallel: 8, micro_batch_size: 1 });
  expect(shape(8, { tensor_parallel_size: 4 })).toMatchObject({ data_parallel: 2, micro_batch_size: 2 });
  expect(shape(64, { micro_batch_size: 4 }, { nodes: 2, gpus: 8 })).toMatchObject({
    data_parallel: 16,
    micro_batch_size: 4,
  });

  const refused = (code: string, text: string) => expect.objectContaining({ code, what: text });
  expect(() => shape(4)).toThrow(
    refused("batch_not_divisible", "4 pairs do not divide over 8 copies of the model that take 1 at a time"),
  );
  expect(() => shape(64, { micro_batch_size: 3 })).toThrow(expect.objectContaining({ code: "batch_not_divisible" }));
  expect(() => shape(64, { tensor_parallel_size: 3 })).toThrow(
    refused("gpus_not_divisible", "8 GPUs do not divide into groups of 3"),
  );
});

test("a checkpoint is written where there is a validation to judge it by", () => {
  const shape = (hyperparameters: object, save_every: number) =>
    trainingShape(
      nemoRlInput({ ...rows(1000), ...settings({ batch_size: 10, epochs: 1, ...hyperparameters }, { save_every }) }),
    );
  expect(shape({}, 30)).toMatchObject({ validate_every: 30, save_every: 30 });
  expect(shape({ val_check_interval: 0.25 }, 30)).toMatchObject({ validate_every: 25, save_every: 50 });
  expect(shape({ val_check_interval: 20 }, 30)).toMatchObject({ validate_every: 20, save_every: 40 });
  expect(shape({}, 5000)).toMatchObject({ validate_every: 100, save_every: 5000 });
});

test("a hyperparameter that the trainer does not have is refused by its name", () => {
  const asked: [object, string][] = [
    [{ training_type: "sft" }, "training_type"],
    [{ sequence_packing_enabled: true }, "sequence_packing_enabled"],
    [{ optimizer: "adam_with_flat_lr", weight_decay: 0.1 }, "weight_decay"],
    [{ pairwright: { early_stopping_patience: 3 } }, "pairwright.early_stopping_patience"],
    [{ pairwright: { start_from: "a/b@1" } }, "pairwright.start_from"],
  ];
  expect(asked).toHaveLength(5);
  const refusal = (name: string) =>
    expect.objectContaining({ code: "hyperparameter_unsupported", where: `hyperparameters.${name}` });
  for (const [hyperparameters, name] of asked) {
    expect(() => planLaunch(nemoRlInput(settings(hyperparameters)))).toThrow(refusal(name));
    expect(() => planLaunch(trlInput(settings(hyperparameters)))).toThrow(refusal(name));
  }

  for (const hyperparameters of [{ finetuning_type: "lora_merged" }, { pairwright: { loss_type: "ipo" } }]) {
    expect(() => planLaunch(nemoRlInput(settings(hyperparameters)))).toThrow(
      expect.objectContaining({ code: "hyperparameter_unsupported" }),
    );
    expect(planLaunch(trlInput(settings(hyperparameters))).files.length).toBeGreaterThan(0);
  }
});
