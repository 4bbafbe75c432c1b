import { Column } from "../lib/column.ts";
import { hashFraction, sha256 } from "../lib/hash.ts";
import { type Key, KeyTable, keyOfHex } from "../lib/key-table.ts";

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
 * The side of an example or a group: by its hash with a fixed salt, and by nothing else. Not by position, not by seed,
 * so the same key is on the same side in every round, and what joins later moves nothing.
 */
export function sideOfKey(by: "example" | "group", key: string, validation: number): Side {
  return hashFraction(SPLIT_SALT, by, key) < validation ? "validation" : "training";
}

/** The hash of a prompt that a split goes by, from the JSON of what the row will hold. */
export function promptHash(json: string): string {
  return sha256(`${SPLIT_SALT}/prompt/${json}`);
}

/** What is hashed before the JSON of a prompt. */
export const PROMPT_SALT = `${SPLIT_SALT}/prompt/`;

/** The side of a prompt: its hash is salted already. */
function sideOfPrompt(hash: string, validation: number): Side {
  return Number.parseInt(hash.slice(0, 13), 16) / 2 ** 52 < validation ? "validation" : "training";
}

/** What the split must know of a pair. */
export interface SplitItem {
  example_id: string;
  /** The group of the data-set row; an example without one is its own group. */
  group: string | undefined;
  /** `promptHash` of the prompt as the row will hold it: equal prompts of rows must not stand on both sides. */
  prompt_hash: string;
}

/** The same as numbers: all that a survey keeps. */
export interface SplitFacts {
  prompt: Key;
  /** The example, as 32 bits of a hash. */
  example: number;
  /** The side of the example or group. */
  own: Side;
  /** The side of the prompt. */
  prompts: Side;
}

/** Finds the sides of pairs one after another; remembers the last example and prompt, which mostly come again. */
export class SideFinder {
  readonly #options: SplitOptions;
  #example: { example_id: string; group: string | undefined; tag: number; side: Side } | undefined;
  #prompt: { hash: string; key: Key; side: Side } | undefined;

  constructor(options: SplitOptions) {
    this.#options = options;
  }

  factsOf({ example_id, group, prompt_hash }: SplitItem): SplitFacts {
    const { validation, by } = this.#options;
    if (this.#example?.example_id !== example_id || this.#example.group !== group) {
      const side =
        by === "group" && group !== undefined
          ? sideOfKey("group", group, validation)
          : sideOfKey("example", example_id, validation);
      this.#example = { example_id, group, tag: keyOfHex(sha256(example_id)).lo, side };
    }
    if (this.#prompt?.hash !== prompt_hash) {
      this.#prompt = {
        hash: prompt_hash,
        key: keyOfHex(prompt_hash),
        side: sideOfPrompt(prompt_hash, validation),
      };
    }
    return {
      prompt: this.#prompt.key,
      example: this.#example.tag,
      own: this.#example.side,
      prompts: this.#prompt.side,
    };
  }
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
  readonly #asked: SplitOptions["by"];
  readonly #prompts = new KeyTable();
  /** Of each prompt: on which sides its pairs stand when split by example or group. */
  readonly #promptSides = Column.uint8();
  /** Of each prompt: the example that brought it first. */
  readonly #promptExample = Column.uint32();
  readonly #pairPrompt = Column.uint32();
  readonly #pairSides = Column.uint8();
  #pairs = 0;
  #shared = false;

  constructor(asked: SplitOptions["by"]) {
    this.#asked = asked;
  }

  /** Takes the next pair. */
  add(hi: number, lo: number, example: number, own: Side, prompts: Side): void {
    const before = this.#prompts.size;
    const prompt = this.#prompts.add(hi, lo);
    if (prompt === before) {
      this.#promptExample.set(prompt, example);
    } else if (this.#promptExample.get(prompt) !== example) {
      this.#shared = true;
    }
    this.#promptSides.set(prompt, this.#promptSides.get(prompt) | (own === "training" ? IN_TRAINING : IN_VALIDATION));
    this.#pairPrompt.set(this.#pairs, prompt);
    this.#pairSides.set(
      this.#pairs,
      (own === "validation" ? KEY_SIDE : 0) | (prompts === "validation" ? PROMPT_SIDE : 0),
    );
    this.#pairs += 1;
  }

  /** The rule that holds for all pairs added. */
  decide(): Split {
    const by: SplitBy = this.#asked === "auto" ? (this.#shared ? "prompt" : "example") : this.#asked;
    const sideOf = (pair: number): { side: Side; moved: boolean } => {
      const sides = this.#pairSides.get(pair);
      if (by === "prompt") return (sides & PROMPT_SIDE) === 0 ? STAYS.training : STAYS.validation;
      if ((sides & KEY_SIDE) === 0) return STAYS.training;
      const shared = (this.#promptSides.get(this.#pairPrompt.get(pair)) & IN_TRAINING) !== 0;
      return shared ? MOVED : STAYS.validation;
    };
    return { by, sideOf };
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
