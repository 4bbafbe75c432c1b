import { expect, test } from "vitest";
import { TrainingOptions } from "../engine/train/training-options.ts";
import { trainingOptionsOf } from "./commands/train.ts";
import { TRAINING_FLAGS } from "./training-flags.ts";

test("there is a flag for every hyperparameter of the engine, and no other", () => {
  const { dpo, lora } = TrainingOptions.parse({});
  const flat = Object.keys(TrainingOptions.shape).filter((name) => name !== "dpo" && name !== "lora");
  const names = [...flat, ...Object.keys(dpo), ...Object.keys(lora).map((name) => `lora_${name}`)];
  expect(names.length).toBeGreaterThan(30);
  expect(TRAINING_FLAGS.map(([name]) => name).sort()).toEqual(names.sort());
});

test("the defaults that --help tells are the schema's", () => {
  const { dpo, lora, ...flat } = TrainingOptions.parse({});
  const values: Record<string, unknown> = { ...flat, ...dpo, lora_rank: lora.rank, lora_alpha: lora.alpha };
  const told = TRAINING_FLAGS.flatMap(([name, text]) => {
    const value = /default (\w[\w.-]*)\)?$/.exec(text)?.[1];
    return value === undefined ? [] : [[name, value] as const];
  });
  expect(told.length).toBeGreaterThan(20);
  for (const [name, value] of told)
    expect(`${name} ${String(values[name])}`).toBe(`${name} ${Number.isNaN(Number(value)) ? value : Number(value)}`);
});

test("flags become options in their types", () => {
  const options = trainingOptionsOf({
    trainingType: "sft",
    learningRate: "1e-3",
    shuffle: "false",
    finetuningType: "lora",
    maxGradNorm: "null",
    loraRank: "4",
    loraTargetModules: "q_proj, v_proj",
    sftLossWeight: "0.3",
  });
  expect(options).toMatchObject({
    training_type: "sft",
    learning_rate: 0.001,
    shuffle: false,
    max_grad_norm: null,
    lora: { rank: 4, target_modules: ["q_proj", "v_proj"] },
    dpo: { sft_loss_weight: 0.3 },
  });
});

test.each([
  [{ learningRate: "much" }, "--learning_rate"],
  [{ finetuningType: "lora", loraTargetModules: "q_proj,x_proj" }, "--lora_target_modules"],
  [{ loraRank: "8" }, "--lora_rank"],
  [{ lossType: "sigmoidal" }, "--loss_type"],
  [{ epochs: "0" }, "--epochs"],
])("a value that cannot be used names its flag: %j", (flags, where) => {
  expect(() => trainingOptionsOf(flags)).toThrow(expect.objectContaining({ code: "usage", where, exit_code: 2 }));
});
