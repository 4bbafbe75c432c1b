import { hashFraction, sha256 } from "../lib/hash.ts";
import { grown, KeyTable, keyOfHex } from "../lib/key-table.ts";

/** Part of what is hashed for a key's side. Never changed: with another salt every side would move. */
export const SPLIT_SALT = "pairwright/split/1";

/** How to split. */
export interface SplitOptions {
  /** About this share of the keys is for validation: from 0 to below 1. */
  validation: number;
  /** What stays on one side; `auto` is the example, or the prompt when examples share prompts. */
  by: "auto" | SplitBy;
}
/** What a split goes by, once `auto` is decided. */
export type SplitBy = "example" | "prompt" | "group";
export type Side = "training" | "validation";

/**
 * The side of a key: by its hash with a fixed salt, and by nothing else. Not by position, not by seed, so the same key
 * is on the same side in every round, and what joins later moves nothing.
 */
export function sideOfKey(by: SplitBy, key: string, validation: number): Side {
  return hashFraction(SPLIT_SALT, by, key) < validation ? "validation" : "training";
}

/** What the split must know of a pair. */
export interface SplitItem {
  example_id: string;
  /** The group of the data-set row; an example without one is its own group. */
  group: string | undefined;
  /** SHA-256 of the prompt as the row will hold it: equal prompts of rows must not stand on both sides. */
  prompt_hash: string;
}

const IN_TRAINING = 1;
const IN_VALIDATION = 2;
const KEY_SIDE = 1;
const PROMPT_SIDE = 2;

/**
 * Decides a split that lets no prompt of validation into training. First `add` every pair, in order; then `decide`;
 * then ask for each pair's side by its number. Memory: about 40 bytes a pair and a prompt, whatever their length.
 */
export class SplitSurvey {
  readonly #options: SplitOptions;
  readonly #prompts = new KeyTable();
  /** Of each prompt: on which sides its pairs stand when split by example or group. */
  #promptSides = new Uint8Array(1024);
  /** Of each prompt: the example that brought it first, as 32 bits of a hash. */
  #promptExample = new Uint32Array(1024);
  #pairPrompt = new Uint32Array(1024);
  #pairSides = new Uint8Array(1024);
  #pairs = 0;
  #shared = false;
  #lastExample: { example_id: string; group: string | undefined; tag: number; side: Side } | undefined;
  #lastPrompt: { hash: string; index: number; side: Side } | undefined;

  constructor(options: SplitOptions) {
    this.#options = options;
  }

  /** Takes the next pair and says which side it will most likely have: that of its example, unless told otherwise. */
  add(item: SplitItem): Side {
    const key = this.#keyOf(item);
    const prompt = this.#promptOf(item.prompt_hash, key.tag);
    if (this.#promptExample[prompt.index] !== key.tag) this.#shared = true;
    this.#promptSides[prompt.index] =
      (this.#promptSides[prompt.index] ?? 0) | (key.side === "training" ? IN_TRAINING : IN_VALIDATION);
    this.#pairPrompt = grown(this.#pairPrompt, this.#pairs + 1);
    this.#pairSides = grown(this.#pairSides, this.#pairs + 1);
    this.#pairPrompt[this.#pairs] = prompt.index;
    this.#pairSides[this.#pairs] =
      (key.side === "validation" ? KEY_SIDE : 0) | (prompt.side === "validation" ? PROMPT_SIDE : 0);
    this.#pairs += 1;
    return this.#options.by === "prompt" ? prompt.side : key.side;
  }

  /** The rule that holds for all pairs added. */
  decide(): Split {
    const asked = this.#options.by;
    const by: SplitBy = asked === "auto" ? (this.#shared ? "prompt" : "example") : asked;
    const sideOf = (pair: number): { side: Side; moved: boolean } => {
      const sides = this.#pairSides[pair] ?? 0;
      if (by === "prompt") return { side: (sides & PROMPT_SIDE) === 0 ? "training" : "validation", moved: false };
      if ((sides & KEY_SIDE) === 0) return STAYS.training;
      const shared = ((this.#promptSides[this.#pairPrompt[pair] ?? 0] ?? 0) & IN_TRAINING) !== 0;
      return shared ? MOVED : STAYS.validation;
    };
    return { by, sideOf };
  }

  #keyOf({ example_id, group }: SplitItem) {
    const last = this.#lastExample;
    if (last !== undefined && last.example_id === example_id && last.group === group) return last;
    const { validation } = this.#options;
    const grouped = this.#options.by === "group";
    const side =
      grouped && group !== undefined
        ? sideOfKey("group", group, validation)
        : sideOfKey("example", example_id, validation);
    const next = { example_id, group, tag: keyOfHex(sha256(example_id)).lo, side };
    this.#lastExample = next;
    return next;
  }

  #promptOf(hash: string, tag: number) {
    const last = this.#lastPrompt;
    if (last !== undefined && last.hash === hash) return last;
    const { hi, lo } = keyOfHex(hash);
    const before = this.#prompts.size;
    const index = this.#prompts.add(hi, lo);
    if (index === before) {
      this.#promptSides = grown(this.#promptSides, index + 1);
      this.#promptExample = grown(this.#promptExample, index + 1);
      this.#promptExample[index] = tag;
    }
    const next = { hash, index, side: sideOfKey("prompt", hash, this.#options.validation) };
    this.#lastPrompt = next;
    return next;
  }
}

/** A split that was decided. */
export interface Split {
  by: SplitBy;
  /** The side of the pair that was added as number `pair`; `moved` when its prompt drew it over to training. */
  sideOf(pair: number): { side: Side; moved: boolean };
}

const STAYS = {
  training: { side: "training", moved: false },
  validation: { side: "validation", moved: false },
} as const;
const MOVED = { side: "training", moved: true } as const;
