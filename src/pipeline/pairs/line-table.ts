import { Column } from "../../lib/column.ts";

type ColumnName = "place" | "number" | "offset" | "length" | "example_index" | "rep" | "run_index" | "state";
const COUNTS = 0;
const FAILED = 1;
const SUPERSEDED = 2;

/** A line that came: where it stands, what it holds, and whether it counts. */
export interface LineEntry {
  /** Names the run: a later line with the same key replaces this one, unless it failed and is of another file. */
  key: string;
  place: number;
  number: number;
  offset: number;
  length: number;
  example_index: number;
  rep: number;
  run_index: number;
  failed: boolean;
}

/** The lines of some `runs.jsonl` files as columns of numbers: about 64 bytes a line, and its key. */
export class LineTable {
  readonly #columns: Record<ColumnName, Column> = {
    place: Column.float64(),
    number: Column.float64(),
    offset: Column.float64(),
    length: Column.float64(),
    example_index: Column.float64(),
    rep: Column.float64(),
    run_index: Column.float64(),
    state: Column.float64(),
  };
  #size = 0;
  /** Key -> its last line so far. */
  #latest = new Map<string, number>();

  /** Keys of the next lines replace none of those before. */
  forgetKeys(): void {
    this.#latest = new Map();
  }

  add({ key, failed, ...numbers }: LineEntry): void {
    const line = this.#size;
    this.#size += 1;
    const values = { ...numbers, state: failed ? FAILED : COUNTS };
    for (const [column, value] of Object.entries(values) as [ColumnName, number][]) {
      this.#columns[column].set(line, value);
    }
    const before = this.#latest.get(key);
    if (before !== undefined) {
      if (failed && this.get("state", before) === COUNTS && this.get("place", before) !== numbers.place) {
        this.#columns.state.set(line, SUPERSEDED);
        return;
      }
      this.#columns.state.set(before, SUPERSEDED);
    }
    this.#latest.set(key, line);
  }

  get(column: ColumnName, line: number): number {
    return this.#columns[column].get(line);
  }

  /** The lines to read, in order, and how many were not among them. */
  winners(withFailed: boolean): { order: number[]; failed: number; superseded: number } {
    this.forgetKeys();
    const order: number[] = [];
    let failed = 0;
    let superseded = 0;
    for (let line = 0; line < this.#size; line += 1) {
      const state = this.get("state", line);
      if (state === FAILED) failed += 1;
      if (state === SUPERSEDED) superseded += 1;
      if (state === COUNTS || (state === FAILED && withFailed)) order.push(line);
    }
    const columns = ["example_index", "rep", "run_index", "place", "number"] as const;
    order.sort((a, b) => {
      for (const column of columns) {
        const difference = this.get(column, a) - this.get(column, b);
        if (difference !== 0) return difference;
      }
      return 0;
    });
    return { order, failed, superseded };
  }
}
