import { expect, test } from "vitest";
import { Hyperparameters } from "../../training/wire/hyperparameters.ts";
import { HttpFault } from "../http/http-fault.ts";
import { trainingSettings } from "./training-settings.ts";

const settings = (given: object) =>
  trainingSettings(Hyperparameters.parse({ finetuning_type: "all_weights", ...given }), 128);

/** Where a 422 says that something is wrong. */
function refused(given: object): string[] {
  try {
    settings(given);
  } catch (error) {
    if (!(error instanceof HttpFault) || typeof error.detail === "string") throw error;
    return error.detail.map(({ loc }) => loc.slice(2).join("."));
  }
  return [];
}

test("without values the services' own defaults hold", () => {
  expect(settings({}).options).toMatchObject({
    training_type: "sft",
    epochs: 50,
    batch_size: 8,
    learning_rate: 1e-4,
    schedule: "cosine",
    min_learning_rate_ratio: 0.1,
    weight_decay: 0.01,
    seed: 42,
    max_length: 128,
  });
  expect(settings({ training_type: "dpo" }).options).toMatchObject({
    epochs: 1,
    batch_size: 16,
    learning_rate: 9e-6,
    dpo: { ref_policy_kl_penalty: 0.05, sft_average_log_probs: false },
  });
  expect(settings({ finetuning_type: "lora" }).options.lora).toMatchObject({ rank: 8, alpha: 16 });
});

test("every hyperparameter that the engine honours reaches it", () => {
  const { options, ...rest } = settings({
    ...{ training_type: "dpo", finetuning_type: "lora_merged", epochs: 2, batch_size: 6, learning_rate: 1e-3 },
    ...{ min_learning_rate: 5e-4, max_steps: 7, warmup_steps: 3, weight_decay: 0.2, adam_beta1: 0.8, adam_beta2: 0.95 },
    ...{ optimizer: "adamw_with_cosine_annealing", seed: 5, log_every_n_steps: 4, val_check_interval: 0.5 },
    lora: { adapter_dim: 2, alpha: 4, adapter_dropout: 0, target_modules: ["*_proj", "linear_fc2"] },
    dpo: {
      ...{ ref_policy_kl_penalty: 0.3, preference_loss_weight: 0.5, preference_average_log_probs: true },
      ...{ sft_loss_weight: 0.2, sft_average_log_probs: true, max_grad_norm: 2 },
    },
    pairwright: { batch_unit: "prompt", loss_type: "ipo", shuffle: false, early_stopping_patience: 2, max_length: 64 },
  });
  expect(rest).toEqual({ log_every_n_steps: 4, val_check_interval: 0.5, stop_early: false, warnings: [] });
  expect(options).toMatchObject({
    ...{ training_type: "dpo", finetuning_type: "lora", epochs: 2, batch_size: 6, learning_rate: 1e-3 },
    ...{ min_learning_rate_ratio: 0.5, max_steps: 7, warmup_steps: 3, weight_decay: 0.2, adam_beta1: 0.8 },
    ...{ adam_beta2: 0.95, schedule: "cosine", seed: 5, max_grad_norm: 2, max_length: 64 },
    ...{ batch_unit: "prompt", shuffle: false, early_stopping_patience: 2 },
    dpo: {
      ...{ ref_policy_kl_penalty: 0.3, preference_loss_weight: 0.5, preference_average_log_probs: true },
      ...{ sft_loss_weight: 0.2, sft_average_log_probs: true, loss_type: "ipo" },
    },
    lora: { rank: 2, alpha: 4 },
  });
  expect(options.lora.target_modules).toHaveLength(7);
});

test("what the engine does not do is refused by its name", () => {
  const dpo = { training_type: "dpo" };
  const cases: [object, string[]][] = [
    [{ training_type: "grpo", grpo: { environment: { name: "mcqa" } } }, ["training_type", "grpo"]],
    [{ training_type: "distillation" }, ["training_type"]],
    [{ distillation: { teacher: "t" } }, ["distillation"]],
    [{ finetuning_type: "lora", lora: { adapter_dropout: 0.1 } }, ["lora.adapter_dropout"]],
    [{ finetuning_type: "lora", lora: { target_modules: ["nothing"] } }, ["lora.target_modules"]],
    [
      { sft: { hidden_dropout: 0.1, attention_dropout: 0.1, ffn_dropout: 0 } },
      ["sft.hidden_dropout", "sft.attention_dropout"],
    ],
    [{ learning_rate: 1e-4, min_learning_rate: 1e-4 }, ["min_learning_rate"]],
    [{ optimizer: "adamw_with_flat_lr", min_learning_rate: 1e-5 }, ["min_learning_rate"]],
    [{ optimizer: "adam_with_flat_lr", weight_decay: 0.1 }, ["weight_decay"]],
    [{ ...dpo, dpo: { ref_policy_kl_penalty: 0 } }, ["dpo.ref_policy_kl_penalty"]],
    [{ ...dpo, dpo: { preference_loss_weight: 0 } }, ["dpo.preference_loss_weight"]],
    [{ ...dpo, pairwright: { label_smoothing: 0.1 } }, ["pairwright.label_smoothing"]],
    [
      { finetuning_type: "lora", pairwright: { optimizer_from: "a/b", start_from: "a/b" } },
      ["pairwright.optimizer_from", "pairwright.start_from"],
    ],
  ];
  for (const [given, fields] of cases) expect(refused(given)).toEqual(fields);
  expect(cases).toHaveLength(13);
});

test("the dpo block of an SFT job says nothing, whatever stands in it", () => {
  expect(refused({ dpo: { ref_policy_kl_penalty: 0, preference_loss_weight: 0 } })).toEqual([]);
});

test("an unknown hyperparameter is a fault, at any depth", () => {
  const unknown = (given: object) =>
    Hyperparameters.safeParse({ finetuning_type: "lora", ...given }).error?.issues[0]?.code;
  expect([{ epoch: 1 }, { lora: { rank: 1 } }, { dpo: { beta: 1 } }, { pairwright: { x: 1 } }].map(unknown)).toEqual(
    Array(4).fill("unrecognized_keys"),
  );
});

test("packing has no effect here, and says so", () => {
  expect(settings({ sequence_packing_enabled: true }).warnings).toHaveLength(1);
});

test("patterns of layers stand for what they match", () => {
  const modules = (target_modules: string[]) =>
    settings({ finetuning_type: "lora", lora: { target_modules } }).options.lora.target_modules;
  expect(modules(["linear_qkv"])).toEqual(["q_proj", "k_proj", "v_proj"]);
  expect(modules(["g*_proj"])).toEqual(["gate_proj"]);
  expect(modules(["linear_*"])).toHaveLength(7);
  expect(modules(["down_proj", "q*"])).toEqual(["q_proj", "down_proj"]);
});
