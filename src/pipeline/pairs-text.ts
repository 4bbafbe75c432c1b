import { canonicalJson, sha256 } from "../lib/hash.ts";
import { type Key, keyOfHex } from "../lib/key-table.ts";
import { contentHash } from "../preferences/content.ts";
import type { Message } from "../records/message.ts";
import type { PreferencePair, UnsplitPair } from "../records/pair.ts";

/** What a line of `pairs.jsonl` has before its side, and after it. */
const SPLIT_FIELD = '"split":"';

/**
 * Pairs as lines of JSON. The pairs of one turn share their prompt and their replies, as the same objects: each of
 * these is serialised and hashed once, until `nextGroup`. That is where the speed of building pairs comes from.
 */
export class PairTexts {
  readonly #texts = new Map<unknown, string>();
  readonly #keys = new Map<readonly Message[], Key>();
  readonly #hashes = new Map<unknown, string>();

  /** Forgets what was kept: the next pairs are of another turn. */
  nextGroup(): void {
    this.#texts.clear();
    this.#keys.clear();
    this.#hashes.clear();
  }

  /** The line of a pair, with its newline. Fields in the order of the schema. */
  line(pair: UnsplitPair, split: PreferencePair["split"]): string {
    const tools = pair.tools === undefined ? "" : `,"tools":${this.#text(pair.tools)}`;
    return (
      `{"pair_id":"${pair.pair_id}","example_id":${this.#text(pair.example_id)},"rep":${pair.rep}` +
      `,"run_index":${pair.run_index},"turn_id":${this.#text(pair.turn_id)},"turn_index":${pair.turn_index}` +
      `,"prompt":${this.#text(pair.prompt)}${tools},"chosen":${this.#text(pair.chosen)}` +
      `,"rejected":${this.#text(pair.rejected)},"chosen_score":${pair.chosen_score}` +
      `,"rejected_score":${pair.rejected_score},"score_diff":${pair.score_diff},"reward":${pair.reward}` +
      `,"chosen_index":${pair.chosen_index},"rejected_index":${pair.rejected_index}` +
      `,"model":${this.#text(pair.model)},"seed":${pair.seed},${SPLIT_FIELD}${split}"` +
      `,"source":${this.#text(pair.source)},"metadata":${metadataText(pair.metadata)}}\n`
    );
  }

  /** The line of a data-set row, with its newline. */
  rowLine(row: Record<string, unknown>): string {
    let text = "{";
    for (const key in row) {
      const value = row[key];
      if (value === undefined) continue;
      text += `${text.length > 1 ? "," : ""}${this.#text(key)}:${this.#text(value)}`;
    }
    return `${text}}\n`;
  }

  /** 64 bits that are equal for equal contents. */
  keyOf(messages: readonly Message[]): Key {
    let key = this.#keys.get(messages);
    if (key === undefined) {
      key = keyOfHex(contentHash(messages));
      this.#keys.set(messages, key);
    }
    return key;
  }

  /** SHA-256 of a prompt as a row holds it. */
  hashOf(prompt: unknown): string {
    let hash = this.#hashes.get(prompt);
    if (hash === undefined) {
      hash = sha256(canonicalJson(prompt));
      this.#hashes.set(prompt, hash);
    }
    return hash;
  }

  #text(value: unknown): string {
    if (value === null || typeof value === "number") return String(value);
    let text = this.#texts.get(value);
    if (text === undefined) {
      text = JSON.stringify(value);
      this.#texts.set(value, text);
    }
    return text;
  }
}

/**
 * A line made by `PairTexts`, as text or as bytes in a text, with another side. The field is the last of its kind in
 * the line, since metadata never shows it in plain letters.
 */
export function withSide(line: string, split: PreferencePair["split"]): string {
  const start = line.lastIndexOf(SPLIT_FIELD) + SPLIT_FIELD.length;
  return line.slice(0, start) + split + line.slice(line.indexOf('"', start));
}

function metadataText(metadata: Record<string, unknown>): string {
  const text = JSON.stringify(metadata);
  // The same JSON, written so that `withSide` cannot take it for the pair's own field.
  return text.includes(SPLIT_FIELD) ? text.replaceAll(SPLIT_FIELD, '"\\u0073plit":"') : text;
}
