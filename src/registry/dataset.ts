/** A row with the place it stands at, for errors. */
export interface DatasetRow {
  row: Record<string, unknown>;
  /** `file:line`, or `file: row n`. */
  where: string;
}

/** Reads the rows of a data set, in order. Streams where the format allows it. */
export interface DatasetReader {
  /** The file, for the manifest's hash; absent when rows come from elsewhere. */
  readonly file?: string;
  rows(): AsyncIterable<DatasetRow>;
}
