import { type PairwrightError, usageError } from "../../lib/errors.ts";
import { checkVocabulary } from "../../tokens/check-vocabulary.ts";
import { findDatasetFiles } from "../../tokens/dataset-files.ts";
import { describeLeftOut, encodeDataset } from "../../tokens/encode-dataset.ts";
import { openChatTemplate } from "../../tokens/open-chat-template.ts";
import { openTokenizer } from "../../tokens/open-tokenizer.ts";
import type { RowEncoderOptions } from "../../tokens/row-encoder.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { type TrainingData, trainingDataBuilder } from "./training-data.ts";
import type { TrainingEvent, TrainingJob } from "./training-job.ts";

export interface LoadedData {
  data: TrainingData;
  /** null where the data set has no validation file, or an empty one. */
  validation: TrainingData | null;
  rows: number;
  skipped: Record<string, number>;
}

/** Reads a data set as a model's tokens. What is left out or cut is told as a warning and counted. */
export async function loadTrainingData(
  job: TrainingJob,
  config: ModelConfig,
  on_event: (event: TrainingEvent) => void,
): Promise<LoadedData> {
  const tokenizer = await openTokenizer(job.model);
  checkVocabulary(tokenizer, { vocab_size: config.vocab_size, where: job.model });
  const template = await openChatTemplate(job.model);
  const max_length = Math.min(job.options.max_length ?? config.max_position_embeddings, config.max_position_embeddings);
  const files = await findDatasetFiles(job.dataset);
  const encode = async (path: string) => {
    const encoded = await encodedRows({ tokenizer, template, max_length, path }, job.options.training_type);
    for (const message of describeLeftOut(encoded.report, max_length)) {
      on_event({ event: "warning", message: `${path}: ${message}` });
    }
    return encoded;
  };
  const { data, report } = await encode(files.training_file);
  if (files.validation_file === null && job.options.early_stopping_patience !== null) throw nothingToValidate(job);
  const validation = files.validation_file === null ? null : (await encode(files.validation_file)).data;
  const { too_long, identical } = report;
  const skipped = Object.entries({ too_long, identical }).map(([name, { count }]) => [name, count] as const);
  return { data, validation, rows: report.used, skipped: Object.fromEntries(skipped.filter(([, count]) => count > 0)) };
}

function nothingToValidate({ dataset }: TrainingJob): PairwrightError {
  return usageError({
    code: "validation_missing",
    where: dataset,
    what: "the data set has no validation rows, and stopping early looks at their loss",
    fix: "give a folder with a validation_file.jsonl, or leave --early_stopping_patience out",
  });
}

async function encodedRows(options: RowEncoderOptions, type: TrainingJob["options"]["training_type"]) {
  const builder = trainingDataBuilder();
  if (type === "dpo") {
    const { rows, report } = await encodeDataset("dpo", options);
    for (const { line, prompt_ids, chosen_ids, rejected_ids } of rows) {
      builder.pair(line, prompt_ids, chosen_ids, rejected_ids);
    }
    return { data: builder.data, report };
  }
  const { rows, report } = await encodeDataset("sft", options);
  for (const { line, prompt_ids, completion_ids } of rows) builder.target(line, prompt_ids, completion_ids);
  return { data: builder.data, report };
}
