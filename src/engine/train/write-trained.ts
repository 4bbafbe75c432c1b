import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PairwrightError } from "../../lib/errors.ts";
import { writeFolderWhole } from "../../lib/whole-folder.ts";
import type { LoraAdapter } from "../model/lora.ts";
import { mergedSource, writeAdapter } from "../weights/adapter.ts";
import type { Model } from "../weights/model-folder.ts";
import { tensorSource } from "../weights/tensor-source.ts";
import { writeError } from "../weights/weights-error.ts";
import { writeModelFolder } from "../weights/write-model-folder.ts";
import { writeOptimiser } from "./optimiser-file.ts";
import type { TrainingOutcome, TrainingRun } from "./run-training.ts";
import type { TrainingJob, TrainingResult } from "./training-job.ts";

/** One line a step and validation, under TRL's names. */
export const METRICS_FILE = "training_metrics.jsonl";

/** The options and what came out; by it a folder is known to be a job's. */
export const FACTS_FILE = "training.json";

export interface Trained {
  model: Model;
  outcome: TrainingOutcome;
  run: TrainingRun;
  /** What was written while training. */
  metrics_file: string;
  result: TrainingResult;
}

/**
 * Writes the output folder, whole or not at all: a model that transformers loads, with adapters merged in and, in PEFT's
 * layout, in `adapter/`; the metrics; `training.json` with the options and what came out; the optimiser where asked.
 */
export async function writeTrained(job: TrainingJob, trained: Trained): Promise<void> {
  const { model, outcome, run, metrics_file, result } = trained;
  const adapter = adapterOf(job, outcome, run);
  const base = tensorSource(run.weights);
  const parameters = adapter === null ? tensorSource(outcome.weights) : mergedSource(base, adapter);
  const { config, raw_config } = model;
  try {
    await writeFolderWhole(
      job.output,
      async (partial) => {
        const { dtype, model: source_dir } = job;
        await writeModelFolder(partial, { config, raw_config, parameters, dtype, source_dir, overwrite: true });
        if (adapter !== null) {
          await writeAdapter(join(partial, "adapter"), { ...adapter, base_model_name_or_path: job.model });
        }
        if (job.save_optimizer) {
          await writeOptimiser(partial, outcome.learner.store, outcome.state.step + (run.optimiser?.steps ?? 0));
        }
        await copyFile(metrics_file, join(partial, METRICS_FILE));
        const { options, model: from, dataset, reference_model } = job;
        const facts = {
          model: from,
          dataset,
          reference_model,
          options,
          result,
          fingerprint: outcome.state.fingerprint,
        };
        await writeFile(join(partial, FACTS_FILE), `${JSON.stringify(facts, null, 2)}\n`);
      },
      { overwrite: job.overwrite },
    );
  } catch (error) {
    throw PairwrightError.is(error) ? error : writeError(job.output, error);
  }
}

function adapterOf({ options }: TrainingJob, { weights }: TrainingOutcome, run: TrainingRun): LoraAdapter | null {
  if (run.adapter === undefined) return null;
  const { rank, alpha, target_modules } = options.lora;
  return { rank, alpha, target_modules, tensors: weights };
}
