import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  initialWeights,
  type ModelConfig,
  readModelFolder,
  TrainingJob,
  trainModel,
  writeModelFolder,
} from "pairwright/engine";
import { randomGameRows, seededRandom } from "./base-model-rows.ts";
import { controlId, tokenizerFiles, vocabulary } from "./base-model-tokenizer.ts";

/** 130,304 parameters. The small `rope_theta` and the large first weights are what so small a model needs to learn the rules. */
export const CONFIG: ModelConfig = {
  model_type: "llama",
  vocab_size: vocabulary().size,
  hidden_size: 64,
  intermediate_size: 192,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  head_dim: 16,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-6,
  rope_theta: 30,
  rope_scaling: null,
  attention_bias: "none",
  tie_word_embeddings: true,
};
export const DEVIATION = 0.1;
export const BATCH = 128;
export const STEPS = 700;

export interface BaseModelSettings {
  steps: number;
  seed: number;
}

/** Makes the base model out of nothing: a tokenizer, first weights, random games, and `steps` steps of SFT on them. */
export async function makeBaseModel(dir: string, { steps, seed }: BaseModelSettings): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "pairwright-base-model-"));
  try {
    const [untrained, dataset, trained] = [join(work, "untrained"), join(work, "games.jsonl"), join(work, "trained")];
    const parameters = initialWeights(CONFIG, { deviation: DEVIATION, seed });
    await writeModelFolder(untrained, {
      config: CONFIG,
      parameters,
      dtype: "F32",
      files: tokenFiles(),
      raw_config: tokenIds(),
    });
    const rows = randomGameRows(steps * BATCH, seededRandom(seed));
    await writeFile(dataset, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    await trainModel(trainingJob({ model: untrained, dataset, output: trained }, seed));
    const model = await readModelFolder(trained);
    await writeModelFolder(dir, { ...model, source_dir: trained, overwrite: true });
  } finally {
    await rm(work, { recursive: true });
  }
}

/** One thread, and no choice left to how much memory is free: the same bytes each time on the same kind of machine. */
function trainingJob(folders: { model: string; dataset: string; output: string }, seed: number) {
  return TrainingJob.parse({
    ...folders,
    threads: 1,
    options: {
      training_type: "sft",
      finetuning_type: "all_weights",
      epochs: 1,
      batch_size: BATCH,
      learning_rate: 4e-3,
      schedule: "cosine",
      warmup_steps: 30,
      min_learning_rate_ratio: 0.05,
      adam_beta1: 0.9,
      adam_beta2: 0.95,
      weight_decay: 0,
      max_grad_norm: 1,
      max_tokens_per_micro_batch: 2048,
      recompute: false,
      seed,
    },
  });
}

function tokenIds() {
  return {
    bos_token_id: controlId("<|begin|>"),
    eos_token_id: controlId("<|end|>"),
    pad_token_id: controlId("<|pad|>"),
    initializer_range: DEVIATION,
  };
}

function tokenFiles(): Record<string, string> {
  const { initializer_range: _, ...ids } = tokenIds();
  return {
    ...tokenizerFiles(),
    "generation_config.json": `${JSON.stringify({ ...ids, do_sample: true, temperature: 1, max_new_tokens: 16 }, null, 2)}\n`,
  };
}
