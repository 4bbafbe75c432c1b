import { codeOf, messageOf, PairwrightError, usageError } from "../../lib/errors.ts";
import { badLine, readJsonl } from "../../lib/jsonl.ts";
import type { TrainingFiles } from "../../registry/training-backend.ts";
import { droppedRoles } from "./dropped-roles.ts";
import type { LaunchInput } from "./launch-plan.ts";
import { type LaunchRow, launchRow, READERS } from "./launch-row.ts";
import { type RowPlaces, withPlaces } from "./row-places.ts";
import type { RowTokens, rowTokens } from "./row-tokens.ts";

/** How many rows, and the first of their numbers, from 1. */
export interface Counted {
  count: number;
  numbers: number[];
}

/** What a file's rows come to. */
export interface RowCensus {
  side: keyof TrainingFiles;
  /** The file that the numbers are lines of. */
  file: string;
  rows: number;
  /** What a trainer would take its loss on. */
  usable: Counted;
  /** The prompt alone leaves no room for a reply. */
  prompt_too_long: Counted;
  /** A side does not fit: NeMo RL leaves the pair out, TRL cuts the side. */
  side_too_long: Counted;
  /** Both sides are the same tokens, perhaps because both were cut. */
  identical: Counted;
  /** A side of several messages. */
  several_messages: Counted;
  /** What the template leaves out, by role. */
  dropped: Map<string, Counted>;
  longest: number;
}

interface CensusOptions {
  places: RowPlaces;
  signal: AbortSignal | undefined;
  onRow: (row: LaunchRow, number: number) => void;
}

const NAMED_ROWS = 5;

/** Reads the rows of one side; `onRow` gets each with its number. Errors: `wrong_dataset_format`, `bad_line`, `dataset_unreadable`, those of the chat template. */
export async function takeCensus(
  side: keyof TrainingFiles,
  input: LaunchInput,
  tokens: ReturnType<typeof rowTokens> | undefined,
  { places, signal, onRow }: CensusOptions,
): Promise<RowCensus> {
  const { path } = input.files[side];
  const census = nothing(side, path);
  const { dataset_format } = input.options;
  for await (const { value, line } of rowsOf(path, signal)) {
    const row = launchRow(value, dataset_format);
    if ("problem" in row) throw wrongFormat(await placeOf(line.number), dataset_format, row.problem);
    census.rows += 1;
    onRow(row, census.rows);
    if (row.chosen.length > 1 || row.rejected.length > 1) count(census.several_messages, census.rows);
    if (tokens === undefined) count(census.usable, census.rows);
    else {
      const fault = look(census, input, row, tokens);
      if (fault !== undefined) throw atPlace(await placeOf(line.number), fault);
    }
  }
  return await withPlaces(census, places);

  async function placeOf(number: number): Promise<string> {
    const { file, lines } = await places(side, [number]);
    return `${file}:${lines[0] ?? number}`;
  }
}

/** Counts a row; gives the fault of a template that cannot write it. */
function look(
  census: RowCensus,
  { target, options }: LaunchInput,
  row: LaunchRow,
  tokens: ReturnType<typeof rowTokens>,
): PairwrightError | undefined {
  const { max_length } = options;
  const number = census.rows;
  const made = written(() => tokens(row));
  if (PairwrightError.is(made)) return made;
  const { prompt, chosen, rejected, text } = made;
  const longest = Math.max(chosen.length, rejected.length);
  census.longest = Math.max(census.longest, longest);
  for (const role of droppedOf(row, text)) {
    const counted = census.dropped.get(role) ?? { count: 0, numbers: [] };
    census.dropped.set(role, counted);
    count(counted, number);
  }
  const room = prompt < max_length;
  const fits = longest <= max_length;
  if (!room) count(census.prompt_too_long, number);
  else if (!fits) count(census.side_too_long, number);
  const cut = target === "trl" ? max_length : longest;
  if (room && sameIds(chosen.slice(0, cut), rejected.slice(0, cut))) count(census.identical, number);
  if (target === "trl" ? room : fits) count(census.usable, number);
  return undefined;
}

function droppedOf({ prompt, chosen, rejected, tools }: LaunchRow, text: RowTokens["text"]): Set<string> {
  // No template is applied to a prompt that is a text.
  if (typeof prompt === "string") return new Set();
  return new Set([
    ...droppedRoles([...prompt, ...chosen], tools, text.chosen),
    ...droppedRoles(rejected, undefined, text.rejected),
  ]);
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}

function nothing(side: RowCensus["side"], file: string): RowCensus {
  const none = () => ({ count: 0, numbers: [] });
  return {
    ...{ side, file },
    rows: 0,
    ...{ usable: none(), prompt_too_long: none(), side_too_long: none(), identical: none(), several_messages: none() },
    dropped: new Map(),
    longest: 0,
  };
}

function count(counted: Counted, number: number): void {
  counted.count += 1;
  if (counted.numbers.length < NAMED_ROWS) counted.numbers.push(number);
}

async function* rowsOf(path: string, signal?: AbortSignal) {
  try {
    yield* readJsonl(path, signal);
  } catch (error) {
    // The cause of a line that is no JSON quotes the row.
    if (PairwrightError.is(error)) throw badLine(path, Number(error.where?.split(":").at(-1)), error.what);
    if (!/^E[A-Z]+$/.test(codeOf(error) ?? "")) throw error;
    throw usageError({
      code: "dataset_unreadable",
      where: path,
      what: `the file cannot be read (${messageOf(error, 100)})`,
      fix: "give a file that can be read",
      cause: error,
    });
  }
}

function wrongFormat(where: string, format: keyof typeof READERS, problem: string): PairwrightError {
  return usageError({
    code: "wrong_dataset_format",
    where,
    what: `this is no row for ${READERS[format]}: ${problem}`,
    fix: "convert the data set (`pairwright pairs convert --to FORMAT`), or set dataset_format to what it is",
  });
}

function written<T>(work: () => T): T | PairwrightError {
  try {
    return work();
  } catch (error) {
    if (!PairwrightError.is(error)) throw error;
    return error;
  }
}

/** What a template says does not name the row. */
function atPlace(where: string, { code, message, fix, exit_code }: PairwrightError): PairwrightError {
  return new PairwrightError({ code, where, what: message, fix, exit_code });
}
