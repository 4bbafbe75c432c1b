import { z } from "zod";
import type { DatasetShape } from "../../registry/dataset.ts";

const name = (described: string, usual: string) => z.string().min(1).default(usual).describe(described);

const Structure = z.strictObject({
  disable: z.boolean().default(false).describe("give the workflow the whole row; the other keys then say nothing"),
  question_key: name("the field the workflow is given", "question"),
  answer_key: name("the field with the right answer", "answer"),
  generated_answer_key: name("the field with an answer from an earlier run", "generated_answer"),
  trajectory_key: name("the field with the intermediate steps of an earlier run", "intermediate_steps"),
  expected_trajectory_key: name("the field with the intermediate steps one hopes for", "expected_intermediate_steps"),
});

const Columns = z.strictObject({
  field: z
    .record(z.string().min(1), z.array(z.union([z.string(), z.number(), z.boolean()])).min(1))
    .describe("column: [pattern, …]; * is any text and ? any character"),
});

const Filter = z.strictObject({
  allowlist: Columns.optional().describe("keep only rows that match in every column named"),
  denylist: Columns.optional().describe("leave out rows that match in any column named"),
});

/** The options that every data set read from a file has. */
export const datasetOptions = {
  file_path: z.string().min(1).describe("the file; from the working folder, else from the configuration's"),
  id_key: z
    .string()
    .min(1)
    .optional()
    .describe('the field that names a row; when left out it is "id", and rows without any are named by their content'),
  structure: Structure.prefault({}),
  filter: Filter.prefault({}),
};

/** Takes what says how rows become examples out of a data set's options. */
export function shapeOf({ id_key, structure, filter }: DatasetShape): DatasetShape {
  return { id_key, structure, filter };
}
