import { type PairwrightError, usageError } from "../lib/errors.ts";
import { canonicalJson, sha256 } from "../lib/hash.ts";
import { didYouMean } from "../lib/suggest.ts";
import type { DatasetReader, DatasetRow, DatasetShape, RowStructure } from "../registry/dataset.ts";
import type { Example } from "../registry/workflow.ts";
import { checkFilterColumns, rowFilter } from "./row-filter.ts";

/** What a data set calls its fields when nobody said. */
export const USUAL_STRUCTURE: RowStructure = {
  disable: false,
  question_key: "question",
  answer_key: "answer",
  generated_answer_key: "generated_answer",
  trajectory_key: "intermediate_steps",
  expected_trajectory_key: "expected_intermediate_steps",
};

/** A shape with nothing left open. */
export function structureOf(shape: DatasetShape): RowStructure {
  return { ...USUAL_STRUCTURE, ...shape.structure };
}

/**
 * The examples of a data set, in its order: filtered first, then named and numbered. Rows without any id are named by a
 * hash of their content (12 hexadecimal digits), so a name stays when rows are added or moved; then all must do without.
 * Two rows of one name, a missing question and a data set without rows are errors that name the row. Memory: the ids.
 */
export async function* readExamples(
  reader: DatasetReader,
  shape: DatasetShape = reader.shape ?? {},
): AsyncGenerator<Example> {
  const { filter = {} } = shape;
  const structure = structureOf(shape);
  await checkFilterColumns(reader, filter);
  const keeps = rowFilter(filter);
  const nameOf = namer(shape.id_key);
  const places = new Map<string, number>();
  let position = -1;
  for await (const place of reader.rows()) {
    position += 1;
    if (!keeps(place.row)) continue;
    const id = nameOf(place);
    const taken = places.get(id);
    if (taken !== undefined) throw await duplicateId(reader, taken, place, id, shape.id_key ?? "id");
    const example = toExample(place, id, places.size, structure);
    places.set(id, position);
    yield example;
  }
  if (places.size > 0) return;
  throw usageError({
    code: "empty_dataset",
    where: reader.file ?? "dataset",
    what: position === -1 ? "the data set has no rows" : `the filter leaves none of ${position + 1} rows`,
    fix: position === -1 ? "put at least one row into it" : "loosen the allowlist or the denylist",
  });
}

function toExample({ row, where }: DatasetRow, id: string, index: number, structure: RowStructure): Example {
  // Given the whole row, a right answer of its own would be one that the workflow has seen.
  if (structure.disable) return { id, index, input: row, row };
  const { question_key, answer_key } = structure;
  if (!Object.hasOwn(row, question_key)) {
    throw usageError({
      code: "missing_question",
      where,
      what: `the row has no "${question_key}".${didYouMean(question_key, Object.keys(row))}`,
      fix: `it has ${keysOf(row)}: set structure.question_key to one of them, or structure.disable to give it whole`,
    });
  }
  const answer = row[answer_key];
  return { id, index, input: row[question_key], ...(answer === undefined || answer === null ? {} : { answer }), row };
}

/** Gives a row its id. The first row decides whether ids stand in the rows or come from their content. */
function namer(written: string | undefined): (place: DatasetRow) => string {
  const key = written ?? "id";
  let byContent: { where: string } | undefined;
  let first = true;
  return ({ row, where }) => {
    const present = Object.hasOwn(row, key);
    if (first && !present && written === undefined) byContent = { where };
    first = false;
    if (byContent === undefined) return idOf(row, key, where);
    if (present) {
      throw badId(
        where,
        `the row has an "${key}", while the first (${byContent.where}) has none`,
        `all or none of them`,
      );
    }
    return sha256(canonicalJson(row)).slice(0, 12);
  };
}

function idOf(row: Record<string, unknown>, key: string, where: string): string {
  const id = row[key];
  if (typeof id === "number" && Number.isFinite(id)) return String(id);
  if (typeof id === "string" && id !== "") return id;
  if (id === undefined) {
    throw badId(where, `the row has no "${key}".${didYouMean(key, Object.keys(row))} It has ${keysOf(row)}`);
  }
  if (id === null || id === "") throw badId(where, `the row's "${key}" is empty`);
  throw badId(where, `the row's "${key}" is ${Array.isArray(id) ? "an array" : `of type ${typeof id}`}`);
}

function badId(where: string, what: string, fix?: string): PairwrightError {
  return usageError({
    code: "missing_id",
    where,
    what,
    fix: fix === undefined ? "give each row a text or a number of its own, or set id_key" : `give ids to ${fix}`,
  });
}

async function duplicateId(
  reader: DatasetReader,
  taken: number,
  place: DatasetRow,
  id: string,
  key: string,
): Promise<PairwrightError> {
  const first = await placeOf(reader, taken);
  const named = Object.hasOwn(place.row, key);
  return usageError({
    code: "duplicate_id",
    where: place.where,
    what: named ? `the ${key} "${id}" is taken already at ${first}` : `the row says the same as the one at ${first}`,
    fix: named
      ? "give each row its own"
      : `remove one, or give each row its own "${key}"; to run rows often, use --reps`,
  });
}

/** Reads again to find a row's place: rows are many and this error is rare, so places are not kept. */
async function placeOf(reader: DatasetReader, position: number): Promise<string> {
  let at = 0;
  for await (const { where } of reader.rows()) {
    if (at === position) return where;
    at += 1;
  }
  return `row ${position + 1}`;
}

function keysOf(row: Record<string, unknown>): string {
  const keys = Object.keys(row);
  const shown = keys.slice(0, 20).map((key) => `"${key}"`);
  return keys.length === 0 ? "no fields" : `${shown.join(", ")}${keys.length > shown.length ? ", …" : ""}`;
}
