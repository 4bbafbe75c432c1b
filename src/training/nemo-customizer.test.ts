import { expect, test } from "vitest";
import { systemClock } from "../lib/clock.ts";
import { NemoCustomizerTrainerAdapterOptions } from "./nemo-customizer-options.ts";
import { NemoCustomizerTrainerOptions, nemoCustomizerTrainer } from "./nemo-customizer-trainer.ts";
import { nemoCustomizerTrainerAdapter } from "./nemo-customizer-trainer-adapter.ts";

const required = {
  entity_host: "https://e",
  datastore_host: "https://d",
  namespace: "n",
  customization_config: "m@v1",
};

test("the trainer's defaults are the seeds', and collecting reads them", () => {
  const options = NemoCustomizerTrainerOptions.parse({});
  expect(options).toEqual({
    num_runs: 1,
    continue_on_collection_error: false,
    deduplicate_pairs: true,
    max_pairs: null,
    wait_for_completion: true,
  });
  expect(nemoCustomizerTrainer({ ...options, num_runs: 3, max_pairs: 9 }).collection).toEqual({
    num_runs: 3,
    continue_on_collection_error: false,
    deduplicate_pairs: true,
    max_pairs: 9,
  });
});

test("the adapter's defaults are the seeds'", () => {
  expect(NemoCustomizerTrainerAdapterOptions.parse(required)).toEqual({
    ...required,
    // The seeds know NGC_API_KEY alone.
    api_key: "",
    hf_token: "",
    dataset_name: "nat-dpo",
    dataset_output_dir: null,
    create_namespace_if_missing: true,
    hyperparameters: {
      training_type: "dpo",
      finetuning_type: "all_weights",
      epochs: 3,
      batch_size: 4,
      learning_rate: 5e-5,
      dpo: {
        ref_policy_kl_penalty: 0.1,
        preference_loss_weight: 1,
        preference_average_log_probs: false,
        sft_loss_weight: 0,
      },
    },
    use_full_message_history: false,
    deploy_on_completion: false,
    deployment_config: {
      image_name: "nvcr.io/nim/meta/llama-3.1-8b-instruct",
      image_tag: "latest",
      gpu: 1,
      deployment_name: null,
      description: "Fine-tuned model deployment",
    },
    poll_interval_seconds: 30,
    deployment_timeout_seconds: 1800,
    max_consecutive_status_failures: 3,
  });
});

test("a part of a section leaves the other defaults in it", () => {
  const { hyperparameters } = NemoCustomizerTrainerAdapterOptions.parse({
    ...required,
    hyperparameters: { epochs: 7, dpo: { sft_loss_weight: 0.5 } },
  });
  expect(hyperparameters).toMatchObject({
    epochs: 7,
    batch_size: 4,
    dpo: { sft_loss_weight: 0.5, ref_policy_kl_penalty: 0.1 },
  });
});

test.each([
  [{ entity_host: undefined }],
  [{ namespace: undefined }],
  [{ customization_config: undefined }],
  [{ epoch: 3 }],
  [{ hyperparameters: { lr: 1 } }],
  [{ hyperparameters: { training_type: "ppo" } }],
  [{ deployment_config: { gpus: 2 } }],
])("%o is refused", (change) => {
  expect(NemoCustomizerTrainerAdapterOptions.safeParse({ ...required, ...change }).success).toBe(false);
});

test("collecting learns how rows are written", () => {
  const options = NemoCustomizerTrainerAdapterOptions.parse({
    ...required,
    use_full_message_history: true,
    dataset_output_dir: "out",
    hyperparameters: { training_type: "sft" },
  });
  expect(nemoCustomizerTrainerAdapter(options, { env: {}, clock: systemClock }).dataset).toEqual({
    format: "nemo-customizer",
    use_full_message_history: true,
    training_type: "sft",
    dataset_output_dir: "out",
  });
});
