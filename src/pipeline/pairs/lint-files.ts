import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { BUILTIN_FORMATS } from "../../datasets/formats/builtin-formats.ts";
import { isRow } from "../../datasets/formats/row-fields.ts";
import { usageError } from "../../lib/errors.ts";
import { exists } from "../../lib/files.ts";
import { readJsonl } from "../../lib/jsonl.ts";
import { type Finding, type LintOptions, type LintReport, lintPairs, type RowToLint } from "../../preferences/lint.ts";
import { PAIR_FILES } from "./draft.ts";

/** What was found in all files; `files` says which were looked at. */
export interface FilesReport extends Omit<LintReport, "length_correlation"> {
  files: string[];
  /** Each data set by itself: files that were looked at together, and how far length says what is preferred. */
  data_sets: { files: string[]; rows: number; length_correlation: LintReport["length_correlation"] }[];
  /** Whether a finding is an error: the command then ends with code 3. */
  has_errors: boolean;
}

/**
 * Lints files, and the files of run folders. Each `pairs.jsonl` is a data set of its own; the other files named
 * together are one data set, of which those with "valid" in their name are the validation side.
 */
export async function lintPairFiles(paths: readonly string[], options: LintOptions = {}): Promise<FilesReport> {
  const sets: string[][] = [];
  const loose: string[] = [];
  for (const path of paths) {
    const there = await stat(path).catch(() => undefined);
    if (there === undefined) throw nothingToLint(path);
    if (there.isDirectory()) sets.push(...(await setsOf(path)));
    else if (basename(path) === basename(PAIR_FILES.pairs)) sets.push([path]);
    else loose.push(path);
  }
  if (loose.length > 0) sets.push(loose);
  const report: FilesReport = {
    files: sets.flat(),
    rows: 0,
    faults: {},
    findings: [],
    data_sets: [],
    has_errors: false,
  };
  for (const files of sets) addReport(report, files, await lintPairs(rowsOf(files), options));
  return report;
}

async function setsOf(folder: string): Promise<string[][]> {
  const sides = [PAIR_FILES.training, PAIR_FILES.validation];
  // The folder of the data-set files may be named as well as the run folder around it.
  const places = [...sides, ...sides.map((side) => basename(side))].map((side) => join(folder, side));
  const pairs = join(folder, PAIR_FILES.pairs);
  const found = [[pairs], places].map((files) => keepExisting(files));
  const sets = (await Promise.all(found)).filter((files) => files.length > 0);
  if (sets.length === 0) throw nothingToLint(folder);
  return sets;
}

async function keepExisting(files: string[]): Promise<string[]> {
  const there = await Promise.all(files.map(exists));
  return files.filter((_, place) => there[place]);
}

function nothingToLint(where: string) {
  return usageError({
    code: "nothing_to_lint",
    where,
    what: "there is no data set here",
    fix: "name a run folder, pairs.jsonl, or the files of a data set",
  });
}

async function* rowsOf(files: readonly string[]): AsyncGenerator<RowToLint> {
  for (const file of files) {
    const side = sideOf(basename(file));
    for await (const { value, line } of readJsonl(file)) {
      yield { ...asPair(value), line: line.number, file, ...(side !== undefined && { side }) };
    }
  }
}

/** A row of any format as the pair it is; one that no format knows stays as it is, for the lint to name its keys. */
function asPair(value: unknown): Pick<RowToLint, "value" | "problem"> {
  // Rows of our own are looked at as they stand: a pair that breaks its schema is to be found, not refused.
  if (isRow(value, "example_id") || isRow(value, "chosen_score")) return { value };
  for (const [name, { format }] of Object.entries(BUILTIN_FORMATS)) {
    if (name === "pairwright" || name === "nemo-customizer") continue;
    const read = format.read?.(value);
    if (read === undefined) continue;
    return "problem" in read ? { value, problem: read.problem } : { value: read };
  }
  return { value };
}

function sideOf(name: string): RowToLint["side"] {
  if (/valid/i.test(name)) return "validation";
  return /train/i.test(name) ? "training" : undefined;
}

function addReport(sum: FilesReport, files: string[], report: LintReport): void {
  const { rows, faults, findings, length_correlation } = report;
  sum.data_sets.push({ files, rows, length_correlation });
  sum.rows += rows;
  for (const [kind, times] of Object.entries(faults)) sum.faults[kind] = (sum.faults[kind] ?? 0) + times;
  sum.findings.push(...findings);
  if (findings.some(({ level }: Finding) => level === "error")) sum.has_errors = true;
}
