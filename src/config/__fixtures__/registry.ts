import { z } from "zod";
import { functionRef, llmRef, scorerRef, searchRef, selectorRef } from "../../registry/refs.ts";
import { createRegistry, type Registry } from "../../registry/registry.ts";

const unbuilt = (): never => {
  throw new Error("a configuration is checked without building anything");
};

/** The component types that the seeds' files name, with the options that the seeds list. */
export function seedRegistry(): Registry {
  const registry = createRegistry();
  registry.llm("openai", {
    description: "A model behind an OpenAI-compatible server.",
    options: z.strictObject({
      model_name: z.string().min(1),
      base_url: z.url().optional(),
      api_key: z.string().optional(),
      temperature: z.number().min(0).max(2).optional().describe("0 is greedy"),
      max_retries: z.int().min(0).default(10),
      stop: z.union([z.string(), z.array(z.string())]).optional(),
      headers: z.record(z.string(), z.string()).optional(),
      merge_calls: z.boolean().optional(),
      seed: z.int().optional(),
    }),
    build: unbuilt,
  });
  registry.function("choose_move", {
    options: z.strictObject({ llm: llmRef().nullish(), max_retries: z.int().min(0).default(2), prompt: z.string().optional() }),
    build: unbuilt,
  });
  registry.function("ttc_move_selector", {
    options: z.strictObject({ search: searchRef(), scorer: scorerRef(), selector: selectorRef() }),
    build: unbuilt,
  });
  registry.search("multi_candidate_move_search", {
    options: z.strictObject({
      choose_move_fn: z.union([functionRef(), llmRef()]),
      num_candidates: z.int().min(1).default(3),
      fallbacks: z.array(functionRef()).default([]),
      weights: z.record(z.string(), z.number()).optional(),
    }),
    build: unbuilt,
  });
  registry.scorer("board_position_scorer", {
    options: z.strictObject({ heuristic: z.boolean().default(true) }),
    build: unbuilt,
  });
  registry.selector("best_of_n_selection", { options: z.strictObject({}), build: unbuilt });
  registry.workflow("dpo_tic_tac_toe", {
    options: z.strictObject({ trained_ttc_move_selector_fn: functionRef(), opponent_ttc_move_selector_fn: functionRef() }),
    build: unbuilt,
  });
  registry.workflow("my_dpo_workflow", { options: z.strictObject({ llm: llmRef() }), build: unbuilt });
  registry.dataset("json", {
    options: z.strictObject({ file_path: z.string(), id_key: z.string().default("id") }),
    build: unbuilt,
  });
  for (const type of ["dpo_game_outcome", "my_game_evaluator"]) {
    registry.evaluator(type, { options: z.strictObject({}), build: unbuilt });
  }
  registry.trajectory_builder("dpo_traj_builder", { options: builderOptions(), build: unbuilt });
  registry.trainer("nemo_customizer_trainer", { options: trainerOptions(), build: unbuilt });
  registry.trainer_adapter("nemo_customizer_trainer_adapter", { options: adapterOptions(), build: unbuilt });
  return registry;
}

function builderOptions() {
  return z.strictObject({
    ttc_step_name: z.string().optional(),
    custom_step_name: z.string().optional(),
    exhaustive_pairs: z.boolean().default(true),
    min_score_diff: z.number().min(0).default(0),
    max_pairs_per_turn: z.int().min(1).nullable().default(null),
    reward_from_score_diff: z.boolean().default(true),
    require_multiple_candidates: z.boolean().default(true),
  });
}

function trainerOptions() {
  return z.strictObject({
    num_runs: z.int().min(1).default(1),
    continue_on_collection_error: z.boolean().default(false),
    deduplicate_pairs: z.boolean().default(true),
    max_pairs: z.int().min(1).nullable().default(null),
    wait_for_completion: z.boolean().default(true),
  });
}

function adapterOptions() {
  return z.strictObject({
    entity_host: z.url(),
    datastore_host: z.url(),
    api_key: z.string().default(""),
    hf_token: z.string().default(""),
    namespace: z.string(),
    dataset_name: z.string().default("nat-dpo"),
    dataset_output_dir: z.string().nullable().default(null),
    create_namespace_if_missing: z.boolean().default(true),
    customization_config: z.string(),
    hyperparameters: z
      .strictObject({
        training_type: z.enum(["dpo", "sft"]).default("dpo"),
        finetuning_type: z.enum(["all_weights", "lora"]).default("all_weights"),
        epochs: z.int().default(3),
        batch_size: z.int().default(4),
        learning_rate: z.number().default(5e-5),
        dpo: z
          .strictObject({
            ref_policy_kl_penalty: z.number().default(0.1),
            preference_loss_weight: z.number().default(1),
            preference_average_log_probs: z.boolean().default(false),
            sft_loss_weight: z.number().default(0),
          })
          .prefault({}),
      })
      .prefault({}),
    use_full_message_history: z.boolean().default(false),
    deploy_on_completion: z.boolean().default(false),
    deployment_config: z
      .strictObject({
        image_name: z.string().default("nvcr.io/nim/meta/llama-3.1-8b-instruct"),
        image_tag: z.string().default("latest"),
        gpu: z.int().default(1),
        deployment_name: z.string().nullable().default(null),
        description: z.string().default("Fine-tuned model deployment"),
      })
      .optional(),
    poll_interval_seconds: z.number().default(30),
    deployment_timeout_seconds: z.number().default(1800),
  });
}
