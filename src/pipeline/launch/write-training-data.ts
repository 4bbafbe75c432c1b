import { join } from "node:path";
import { usageError } from "../../lib/errors.ts";
import type { TrainingFiles } from "../../registry/training-backend.ts";
import { type Converted, convertPairs } from "../pairs/convert-pairs.ts";
import type { NamedFormats } from "../pairs/read-pairs.ts";
import type { PairSource } from "./find-pairs.ts";

export interface TrainingDataOptions {
  source: PairSource;
  formats: NamedFormats;
  /** The name of the format that the trainer reads. */
  to: string;
  signal: AbortSignal;
}

/** A launch's data, in the rows that the trainer reads, and what became of the pairs that they are made of. */
export interface TrainingData {
  files: TrainingFiles;
  converted: { training: Converted; validation: Converted };
}

/**
 * Writes `training.jsonl` and `validation.jsonl` into a folder. A row without a side is for training. Errors: those of
 * `convertPairs`, such as `would_drop_tool_calls`.
 */
export async function writeTrainingData(dir: string, options: TrainingDataOptions): Promise<TrainingData> {
  const { source, formats, signal } = options;
  const to = formats.find(({ name }) => name === options.to);
  if (to === undefined) throw new TypeError(`there is no format ${options.to}`);
  const convert = (input: string, side: "training" | "validation") =>
    convertPairs({
      ...{ input, output: join(dir, `${side}.jsonl`), to, formats, allow_loss: false, signal },
      ...(source.validation === null && { only: ({ split }) => (split ?? "training") === side }),
    });
  const training = await convert(source.training, "training");
  const validation = await convert(source.validation ?? source.training, "validation");
  if (training.written === 0) {
    throw usageError({
      code: "no_training_rows",
      where: source.training,
      what: `none of its ${training.rows} pairs for training can be a row of ${options.to}`,
      fix: "collect pairs first; or give the adapter another dataset_format",
    });
  }
  const file = (side: "training" | "validation", { written }: Converted) => ({
    path: join(dir, `${side}.jsonl`),
    rows: written,
  });
  return {
    files: { training: file("training", training), validation: file("validation", validation) },
    converted: { training, validation },
  };
}
