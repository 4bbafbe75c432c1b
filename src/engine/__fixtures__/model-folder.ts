import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TINY, writeTinyTokenizer } from "../../tokens/__fixtures__/tiny-tokenizer.ts";
import { initialWeights } from "../model/initial-weights.ts";
import { writeModelFolder } from "../weights/write-model-folder.ts";
import { llamaConfig } from "./llama-config.ts";

export const TINY_MODEL = llamaConfig({
  vocab_size: TINY.vocab_size,
  hidden_size: 32,
  intermediate_size: 64,
  head_dim: 8,
  max_position_embeddings: 128,
  rope_theta: 1000,
});

export interface TrainingPlace extends AsyncDisposable {
  dir: string;
  model: string;
  dataset: string;
  output: string;
}

export type Row = Record<string, unknown>;

/** Forty-eight pairs over twelve prompts: what agrees is chosen. */
export function someRows(count = 48): Row[] {
  return Array.from({ length: count }, (_, i) => ({
    prompt: `question ${i % 12}?`,
    chosen_response: `yes ${i % 5} because`,
    rejected_response: `no ${i % 7}`,
  }));
}

/** A folder with a small model that was never trained, its tokenizer, and a data set. Gone when it is disposed of. */
export async function trainingPlace({
  rows = someRows(),
  validation = [] as Row[],
  config = TINY_MODEL,
} = {}): Promise<TrainingPlace> {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-train-"));
  const tokenizer = join(dir, "tokenizer");
  await writeTinyTokenizer(tokenizer);
  const parameters = initialWeights(config, { deviation: 0.08, seed: 1 });
  const model = join(dir, "model");
  await writeModelFolder(model, { config, parameters, dtype: "F32", source_dir: tokenizer });
  const dataset = join(dir, "dataset");
  await writeDataset(dataset, rows, validation);
  return {
    dir,
    model,
    dataset,
    output: join(dir, "output"),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

export async function writeDataset(dir: string, rows: readonly Row[], validation: readonly Row[] = []): Promise<void> {
  const text = (of: readonly Row[]) => of.map((row) => `${JSON.stringify(row)}\n`).join("");
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "training_file.jsonl"), text(rows));
  await writeFile(join(dir, "validation_file.jsonl"), text(validation));
}
