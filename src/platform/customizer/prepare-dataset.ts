import { join } from "node:path";
import { type PairwrightError, usageError } from "../../lib/errors.ts";
import { writeFileWhole } from "../../lib/files.ts";
import { badLine, readLines } from "../../lib/jsonl.ts";
import { type Random, seededRandom } from "../../lib/random.ts";
import { writeFolderWhole } from "../../lib/whole-folder.ts";
import type { RowOf } from "../../tokens/dataset-rows.ts";
import type { Datastore } from "../datastore/datastore.ts";
import { datasetLayout, type RowFile } from "./dataset-layout.ts";
import { convertRow, parsePromptTemplate } from "./dataset-row.ts";
import { revisionFiles } from "./revision-files.ts";
import type { JobPlan } from "./stored.ts";

/** A job's data set as the engine reads it. */
export interface PreparedDataset {
  training_rows: number;
  validation_rows: number;
  /** Whether the validation rows were taken from the training files. */
  split: boolean;
}

type Plan = Pick<JobPlan, "dataset" | "options" | "prompt_template">;
type Row = RowOf["dpo" | "sft"];

/** Of the rows, where no files are for validation; the successor of the service takes as much. */
const VALIDATION_SHARE = 0.1;

/**
 * Checks every row of a data set and writes them into a folder as the engine reads them: whole or not at all, so that a
 * job that goes on finds the same rows whatever has become of the repository. Errors: `dataset_missing`, `dataset_empty`,
 * `bad_line` with the client's own file and line.
 */
export async function prepareDataset(
  plan: Plan,
  datastore: Datastore,
  { dir, signal }: { dir: string; signal: AbortSignal },
): Promise<PreparedDataset> {
  const { training, validation } = filesOf(plan, datastore);
  const training_rows = await count(training, plan, signal);
  const validation_rows = await count(validation, plan, signal);
  if (training_rows === 0) throw noRows(plan);
  const split = validation_rows === 0 && training_rows > 1;
  const held_out = split ? Math.max(1, Math.floor(VALIDATION_SHARE * training_rows)) : 0;
  await writeFolderWhole(
    dir,
    async (partial) => {
      const parts = () => splitRows(rowsOf(training, plan, signal), training_rows, held_out, plan.options.seed);
      await writeFileWhole(join(partial, "training_file.jsonl"), linesOf(parts(), "training"));
      const other = split
        ? linesOf(parts(), "validation")
        : linesOf(whole(rowsOf(validation, plan, signal)), "validation");
      await writeFileWhole(join(partial, "validation_file.jsonl"), other);
    },
    { overwrite: true },
  );
  return { training_rows: training_rows - held_out, validation_rows: validation_rows + held_out, split };
}

/**
 * Where a line of a prepared file came from, `training/training_file.jsonl:12`. The files are read again up to it: that
 * is cheaper than to remember all lines for a fault that hardly ever comes.
 */
export async function originOf(
  { file, line }: { file: "training" | "validation"; line: number },
  plan: Plan,
  datastore: Datastore,
  prepared: PreparedDataset,
): Promise<string | undefined> {
  const { training, validation } = filesOf(plan, datastore);
  const all = prepared.training_rows + prepared.validation_rows;
  const signal = new AbortController().signal;
  const parts =
    prepared.split || file === "training"
      ? splitRows(rowsOf(training, plan, signal), all, prepared.split ? prepared.validation_rows : 0, plan.options.seed)
      : whole(rowsOf(validation, plan, signal));
  let number = 0;
  for await (const { part, place } of parts) {
    if (part !== file) continue;
    number += 1;
    if (number === line) return place;
  }
  return undefined;
}

function filesOf({ dataset }: Plan, datastore: Datastore) {
  const { repository, revision, folder } = dataset;
  const files = revisionFiles(datastore, "dataset", repository, revision);
  if (files === null) {
    throw missing(
      repository,
      `the Datastore has no data set of this name${revision === "main" ? "" : ` at ${revision}`}`,
    );
  }
  const { training, validation } = datasetLayout(files, folder);
  if (training.length === 0) throw missing(repository, "there is no file of rows to train on");
  const placed = (found: typeof training): RowFile[] =>
    found.map(({ path, sha256 }) => ({ name: path, path: datastore.blobPath(sha256) }));
  return { training: placed(training), validation: placed(validation) };
}

interface PlacedRow {
  row: Row;
  /** `training/training_file.jsonl:12`. */
  place: string;
}

async function* rowsOf(files: readonly RowFile[], plan: Plan, signal: AbortSignal): AsyncGenerator<PlacedRow> {
  const template = parsePromptTemplate(plan.prompt_template);
  if (template === undefined) throw new RangeError("a prompt template has two placeholders");
  for (const { name, path } of files) {
    for await (const { text, number } of readLines(path, signal)) {
      const line = number === 1 && text.startsWith("\uFEFF") ? text.slice(1) : text;
      if (line.trim() === "") continue;
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch {
        throw badLine(name, number, "this line is not JSON");
      }
      const converted = convertRow(value, plan.options.training_type, template);
      if ("problem" in converted) throw badLine(name, number, converted.problem);
      for (const row of converted.rows) yield { row, place: `${name}:${number}` };
    }
  }
}

async function count(files: readonly RowFile[], plan: Plan, signal: AbortSignal): Promise<number> {
  let rows = 0;
  for await (const _ of rowsOf(files, plan, signal)) rows += 1;
  return rows;
}

interface PartRow extends PlacedRow {
  part: "training" | "validation";
}

async function* whole(rows: AsyncIterable<PlacedRow>): AsyncGenerator<PartRow> {
  for await (const row of rows) yield { ...row, part: "validation" };
}

/** Knuth's selection sampling: exactly `held_out` of `all` rows, each set of them as likely as any other. */
async function* splitRows(
  rows: AsyncIterable<PlacedRow>,
  all: number,
  held_out: number,
  seed: number,
): AsyncGenerator<PartRow> {
  const random: Random = seededRandom(seed);
  let left = all;
  let wanted = held_out;
  for await (const row of rows) {
    const taken = random() * left < wanted;
    left -= 1;
    if (taken) wanted -= 1;
    yield { ...row, part: taken ? "validation" : "training" };
  }
}

async function* linesOf(rows: AsyncIterable<PartRow>, wanted: PartRow["part"]): AsyncGenerator<string> {
  for await (const { row, part } of rows) if (part === wanted) yield `${JSON.stringify(row)}\n`;
}

function missing(where: string, what: string): PairwrightError {
  return usageError({
    code: "dataset_missing",
    where,
    what,
    fix: "upload rows as training/*.jsonl, and validation/*.jsonl if you have some",
  });
}

function noRows({ dataset }: Plan): PairwrightError {
  return usageError({
    code: "dataset_empty",
    where: dataset.repository,
    what: "its training files hold no row",
    fix: "upload files with a row in each line",
  });
}
