/** A row with the place it stands at, for errors. */
export interface DatasetRow {
  row: Record<string, unknown>;
  /** `file:line`, or `file: row n`. */
  where: string;
}

/** Which fields of a row mean what. */
export interface RowStructure {
  /** The row as a whole is the input; the other members then say nothing. */
  disable: boolean;
  question_key: string;
  answer_key: string;
  /** What a workflow answered earlier, for scoring without running it. */
  generated_answer_key: string;
  /** The intermediate steps of that. */
  trajectory_key: string;
  expected_trajectory_key: string;
}

/** Column -> patterns (`*` and `?`), any of which may match the cell. */
export interface ColumnPatterns {
  field: Record<string, (string | number | boolean)[]>;
}

/** Which rows take part: those that match the allowlist in every column it names, and the denylist in none. */
export interface RowFilter {
  allowlist?: ColumnPatterns | undefined;
  denylist?: ColumnPatterns | undefined;
}

/** How rows become examples. */
export interface DatasetShape {
  /** The field that names a row. When nobody said, it is `id`, and rows may all do without. */
  id_key?: string | undefined;
  structure?: Partial<RowStructure> | undefined;
  filter?: RowFilter | undefined;
}

/** Reads the rows of a data set, in order. Streams where the format allows it. */
export interface DatasetReader {
  /** The file, for the manifest's hash; absent when rows come from elsewhere. */
  readonly file?: string;
  /** How its rows become examples; the usual names when absent. */
  readonly shape?: DatasetShape;
  /** From the first row, each time it is called. */
  rows(): AsyncIterable<DatasetRow>;
}
