import { join } from "node:path";
import { PairwrightError, usageError } from "../../lib/errors.ts";
import type { ReadPair } from "../../registry/training.ts";
import type { TrainingFiles } from "../../registry/training-backend.ts";
import type { RowPlaces } from "../../training/launch/row-places.ts";
import { type Converted, convertPairs, linesOfRows } from "../pairs/convert-pairs.ts";
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
  /** Where the user has what stands in these files. */
  places: RowPlaces;
}

/**
 * Writes `training.jsonl` and `validation.jsonl` into a folder. A row without a side is for training. Errors: those of
 * `convertPairs`, such as `would_drop_tool_calls`.
 */
export async function writeTrainingData(dir: string, options: TrainingDataOptions): Promise<TrainingData> {
  const { source, formats, signal } = options;
  const to = formats.find(({ name }) => name === options.to);
  if (to === undefined) throw new TypeError(`there is no format ${options.to}`);
  const inputOf = (side: "training" | "validation") => ({
    ...{ input: source[side] ?? source.training, to, formats, allow_loss: false, signal },
    ...(source.validation === null && { only: ({ split }: ReadPair) => (split ?? "training") === side }),
  });
  const convert = (side: "training" | "validation") =>
    convertPairs({ ...inputOf(side), output: join(dir, `${side}.jsonl`) });
  const training = await convert("training").catch(inFormat(options.to));
  const validation = await convert("validation").catch(inFormat(options.to));
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
    places: async (side, numbers) => {
      const from = inputOf(side);
      return { file: from.input, lines: await linesOfRows(from, numbers) };
    },
  };
}

/** A launch has neither --to nor --allow-loss. */
function inFormat(format: string) {
  return (error: unknown): never => {
    if (!PairwrightError.is(error) || error.code !== "would_drop_tool_calls") throw error;
    const { code, where, what, exit_code } = error;
    const fix = `set dataset_format of the trainer adapter to one that holds them: ${format.startsWith("trl") ? "trl-conversational" : "nemo-rl-ranked"}; or leave those pairs out`;
    throw new PairwrightError({ code, where, what, fix, exit_code });
  };
}
