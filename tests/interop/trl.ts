import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { initialAdapter, initialWeights } from "../../src/engine/model/initial-weights.ts";
import type { ModelConfig } from "../../src/engine/model/model-config.ts";
import { trainModel } from "../../src/engine/train/train-model.ts";
import { TrainingOptions } from "../../src/engine/train/training-options.ts";
import { writeAdapter } from "../../src/engine/weights/adapter.ts";
import { readModelFolder } from "../../src/engine/weights/model-folder.ts";
import { writeModelFolder } from "../../src/engine/weights/write-model-folder.ts";
import { seededRandom } from "../../src/lib/random.ts";
import type { Message } from "../../src/records/message.ts";
import { TINY, tinyTokenizerFiles } from "../../src/tokens/__fixtures__/tiny-tokenizer.ts";
import type { DpoRow, SftRow } from "../../src/tokens/dataset-rows.ts";
import { openChatTemplate } from "../../src/tokens/open-chat-template.ts";
import { openTokenizer } from "../../src/tokens/open-tokenizer.ts";
import { createRowEncoder, type EncodedExample, type EncodedPair } from "../../src/tokens/row-encoder.ts";
import type { PythonEnv, PythonOptions } from "./python-env.ts";

export type Row = DpoRow | SftRow;
export type Metrics = Record<string, number>;

/** For scripts that compute for long: torch's threads do not spin, which on a machine with other work costs several times the time. */
export const BUSY: PythonOptions = { timeout_ms: 1_800_000, env: { OMP_WAIT_POLICY: "PASSIVE" } };

/** A Llama small enough that 20 steps take a second, and wide enough that nothing is the same size by chance. */
export const SMALL_LLAMA: ModelConfig = {
  model_type: "llama",
  vocab_size: TINY.vocab_size,
  hidden_size: 48,
  intermediate_size: 80,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 12,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  rope_scaling: null,
  attention_bias: "none",
  tie_word_embeddings: true,
};

/** A model folder that both sides load: random weights, the tiny tokenizer and its template. */
export async function writeSmallLlama(dir: string, changes: Partial<ModelConfig> = {}): Promise<ModelConfig> {
  const config = { ...SMALL_LLAMA, ...changes };
  await writeModelFolder(dir, {
    config,
    parameters: initialWeights(config, { deviation: 0.15, seed: 5 }),
    dtype: "F32",
    raw_config: { bos_token_id: null, eos_token_id: TINY.im_end, pad_token_id: TINY.pad },
    files: tinyTokenizerFiles(),
  });
  return config;
}

const WORDS = "play red blue One Two good bad move reply hello world sun moon cat dog <row>1</row> ünï 7 🙂".split(" ");

/** Prompts of one to three messages, each with several pairs; every text of another length. */
export function preferenceRows(count: number, pairs_per_prompt = 2): DpoRow[] {
  const random = seededRandom(11);
  const text = (most: number) =>
    Array.from({ length: 1 + Math.floor(random() * most) }, () => WORDS[Math.floor(random() * WORDS.length)]).join(" ");
  const rows: DpoRow[] = [];
  for (let at = 0; rows.length < count; at += 1) {
    const prompt: Message[] = [{ role: "user", content: text(12) }];
    if (at % 3 === 1) prompt.unshift({ role: "system", content: text(4) });
    if (at % 3 === 2) prompt.push({ role: "assistant", content: text(3) }, { role: "user", content: text(5) });
    for (let pair = 0; pair < pairs_per_prompt && rows.length < count; pair += 1) {
      rows.push({ prompt, chosen_response: `Yes ${text(8)}`, rejected_response: `No ${text(8)}` });
    }
  }
  return rows;
}

export interface Job {
  /** The folder of the model to start from. */
  model: string;
  training_type: "dpo" | "sft";
  rows: Row[];
  /** Ours; `arguments` has the same as TRL calls it. */
  options: Omit<Partial<TrainingOptions>, "dpo" | "lora"> & { dpo?: object; lora?: object };
  arguments: Record<string, unknown>;
  /** Give TRL the rows as messages and not as texts. */
  as_messages?: boolean;
}

/** What a trainer logged at each step, and the ids of its rows. */
export interface Trained<R> {
  steps: Metrics[];
  rows: R[];
}

/** Trains a job by ours, from folder to folder, as `pairwright train` does. */
export async function trainByOurs(dir: string, job: Job): Promise<Trained<EncodedPair | EncodedExample>> {
  await mkdir(dir, { recursive: true });
  const dataset = join(dir, "training_file.jsonl");
  await writeFile(dataset, job.rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const steps: Metrics[] = [];
  await trainModel(
    {
      model: job.model,
      dataset,
      output: join(dir, "trained"),
      overwrite: false,
      reference_model: null,
      optimizer_from: null,
      save_optimizer: false,
      dtype: "F32",
      resume: false,
      threads: 2,
      options: optionsOf(job),
    },
    {
      on_event: (event) => {
        if (event.event === "record") steps.push(event.record);
      },
    },
  );
  return { steps, rows: await encodedRows(job) };
}

/**
 * Trains all jobs by TRL, in one process: importing it takes longer than training. It gets texts, the prompt as our template
 * renders it: a reply in a message it would end otherwise than we do.
 */
export async function trainByTrl<N extends string>(
  env: PythonEnv,
  dir: string,
  jobs: Record<N, Job>,
): Promise<Record<N, Trained<Record<string, number[]>>>> {
  await mkdir(dir, { recursive: true });
  const given: Record<string, unknown> = {};
  for (const [name, job] of Object.entries<Job>(jobs)) {
    const { model, training_type, arguments: of_config } = job;
    const adapter = await writeStartOf(join(dir, `start-${name}`), job);
    given[name] = { model, adapter, training_type, rows: await rowsForTrl(job), arguments: of_config };
  }
  const [jobs_file, results_file] = [join(dir, "jobs.json"), join(dir, "results.json")];
  await writeFile(jobs_file, JSON.stringify(given));
  await env.python("trl_train.py", [jobs_file, results_file], BUSY);
  return JSON.parse(await readFile(results_file, "utf8"));
}

/** The adapter that our training starts from, in PEFT's layout; null where the weights themselves are trained. */
async function writeStartOf(dir: string, job: Job): Promise<string | null> {
  const { finetuning_type, lora, seed } = optionsOf(job);
  if (finetuning_type === "all_weights") return null;
  const { rank, alpha, target_modules } = lora;
  const { config } = await readModelFolder(job.model);
  const tensors = initialAdapter(config, lora, seed);
  await writeAdapter(dir, { rank, alpha, target_modules, tensors, base_model_name_or_path: job.model });
  return dir;
}

function optionsOf({ training_type, options }: Job): TrainingOptions {
  return TrainingOptions.parse({ training_type, shuffle: false, ...options });
}

async function rowsForTrl({ model, rows, as_messages = false }: Job): Promise<object[]> {
  const template = await openChatTemplate(model);
  const reply = (content: string) => (as_messages ? [{ role: "assistant", content }] : content);
  return rows.map(({ prompt, ...replies }) => {
    const messages: Message[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
    const given = as_messages ? messages : template.render(messages, { add_generation_prompt: true });
    return "completion" in replies
      ? { prompt: given, completion: reply(replies.completion) }
      : { prompt: given, chosen: reply(replies.chosen_response), rejected: reply(replies.rejected_response) };
  });
}

/** The rows that can be trained on, as ids, before a reply is cut: TRL cuts when it makes a batch. */
export async function encodedRows(job: Job): Promise<(EncodedPair | EncodedExample)[]> {
  const { model, training_type, rows } = job;
  const { config } = await readModelFolder(model);
  const { max_length } = optionsOf(job);
  const encoder = createRowEncoder({
    tokenizer: await openTokenizer(model),
    template: await openChatTemplate(model),
    max_length: config.max_position_embeddings,
    path: "rows",
  });
  return rows.flatMap((row, index) => {
    const line = index + 1;
    const encoded =
      training_type === "dpo"
        ? encoder.encode("dpo", { line, row: row as DpoRow })
        : encoder.encode("sft", { line, row: row as SftRow });
    if (encoded.row === null) throw new Error(`row ${line} is left out: ${encoded.why}`);
    return encoded.row.prompt_ids.length < (max_length ?? Number.POSITIVE_INFINITY) ? [encoded.row] : [];
  });
}
