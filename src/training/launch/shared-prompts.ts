import { Column } from "../../lib/column.ts";
import { canonicalJson } from "../../lib/hash.ts";
import { KeyTable } from "../../lib/key-table.ts";
import { quickHash } from "../../lib/quick-hash.ts";
import type { LaunchFinding } from "./launch-plan.ts";
import type { LaunchRow } from "./launch-row.ts";
import type { RowPlaces } from "./row-places.ts";

/** Prompts to validate with that are looked for among those to train on: at 30 bytes each, about 60 MB. */
const LIMIT = 2 ** 21;
const NAMED_ROWS = 5;

/**
 * Which prompts to validate with are trained on, too. The validation's rows come first, since they are the fewer: their
 * prompts are kept as digests, the training's are looked up and not kept.
 */
export class SharedPrompts {
  readonly #keys = new KeyTable();
  /** Of a key: the first row that asks it. */
  readonly #rows = Column.uint32();
  /** Of a key: 1 where it is trained on. */
  readonly #trained = Column.uint8();
  readonly #limit: number;
  #is_cut = false;
  #shared = 0;

  constructor(limit = LIMIT) {
    this.#limit = limit;
  }

  /** A row to validate with, and its number from 1. */
  addValidation({ prompt }: LaunchRow, number: number): void {
    const { hi, lo } = keyOf(prompt);
    if (this.#keys.size >= this.#limit) {
      this.#is_cut ||= this.#keys.indexOf(hi, lo) < 0;
      return;
    }
    const known = this.#keys.size;
    const key = this.#keys.add(hi, lo);
    if (key === known) this.#rows.set(key, number);
  }

  /** A row to train on; all those to validate with were added before. */
  addTraining({ prompt }: LaunchRow): void {
    const { hi, lo } = keyOf(prompt);
    const key = this.#keys.indexOf(hi, lo);
    if (key < 0 || this.#trained.get(key) === 1) return;
    this.#trained.set(key, 1);
    this.#shared += 1;
  }

  /** A warning where there are any: such a validation does not tell what was learned, and a best checkpoint is chosen by it. */
  async finding(places: RowPlaces): Promise<LaunchFinding> {
    const { size } = this.#keys;
    const of = this.#is_cut ? `the first ${size}` : `${size}`;
    const finding = { name: "shared_prompts", code: null };
    if (this.#shared === 0) {
      return { ...finding, status: "ok", detail: `none of ${of} prompts to validate with is trained on` };
    }
    const { file, lines } = await places("validation", this.#firstRows());
    const training = await places("training", []);
    const more = this.#shared > lines.length ? ", …" : "";
    const at = `${lines.length === 1 ? "line" : "lines"} ${lines.join(", ")}${more} of ${file}`;
    const are = this.#shared === 1 ? "is" : "are";
    const detail = `${this.#shared} of ${of} prompts to validate with (${at}) ${are} among those to train on (${training.file}): its figures would look better than the model is; collect with split: {by: prompt}, or take their rows out of one side`;
    return { ...finding, status: "warning", detail };
  }

  #firstRows(): number[] {
    const numbers: number[] = [];
    for (let key = 0; key < this.#keys.size && numbers.length < NAMED_ROWS; key += 1) {
      if (this.#trained.get(key) === 1) numbers.push(this.#rows.get(key));
    }
    return numbers;
  }
}

function keyOf(prompt: LaunchRow["prompt"]) {
  return quickHash(typeof prompt === "string" ? prompt : canonicalJson(prompt));
}
