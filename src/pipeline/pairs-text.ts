import type { BulkWriter } from "../lib/bulk-writer.ts";
import { sha256 } from "../lib/hash.ts";
import type { Key } from "../lib/key-table.ts";
import { quickHash } from "../lib/quick-hash.ts";
import { contentOf } from "../preferences/content.ts";
import type { Message } from "../records/message.ts";
import type { PreferencePair, UnsplitPair } from "../records/pair.ts";

/** What a line of `pairs.jsonl` has before its side. */
const SPLIT_FIELD = '"split":"';
/** Texts from this length on are turned into bytes once and copied from then on. */
const LONG = 128;

interface Fragment {
  text: string;
  bytes: Buffer | undefined;
}

/**
 * Pairs as lines of JSON. The pairs of one turn share their prompt and their replies, as the same objects: each of
 * these is serialised and hashed once, until `nextTurn`. That is where the speed of building pairs comes from.
 */
export class PairTexts {
  readonly #fragments = new Map<unknown, Fragment>();
  readonly #keys = new Map<readonly Message[], Key>();
  readonly #hashes = new Map<unknown, string>();
  #head: { pair: UnsplitPair; bytes: Buffer } | undefined;

  /** Forgets what was kept: the next pairs are of another turn. */
  nextTurn(): void {
    this.#fragments.clear();
    this.#keys.clear();
    this.#hashes.clear();
    this.#head = undefined;
  }

  /** Writes the line of a pair. Fields in the order of the schema. */
  writePair(to: BulkWriter, pair: UnsplitPair, split: PreferencePair["split"]): void {
    to.write(`{"pair_id":"${pair.pair_id}"`);
    to.writeBytes(this.#headOf(pair));
    const { text: chosen } = this.#fragment(pair.chosen);
    const { text: rejected } = this.#fragment(pair.rejected);
    to.write(
      `,"chosen":${chosen},"rejected":${rejected},"chosen_score":${pair.chosen_score}` +
        `,"rejected_score":${pair.rejected_score},"score_diff":${pair.score_diff},"reward":${pair.reward}` +
        `,"chosen_index":${pair.chosen_index},"rejected_index":${pair.rejected_index}` +
        `,"model":${this.#fragment(pair.model).text},"seed":${pair.seed},${SPLIT_FIELD}${split}"` +
        `,"source":${this.#fragment(pair.source).text},"metadata":${metadataText(pair.metadata)}}\n`,
    );
  }

  /** Writes the line of a data-set row. */
  writeRow(to: BulkWriter, row: Record<string, unknown>): void {
    let text = "{";
    let before = "";
    for (const key in row) {
      const value = row[key];
      if (value === undefined) continue;
      text += `${before}${JSON.stringify(key)}:`;
      before = ",";
      const fragment = this.#fragment(value);
      if (fragment.text.length < LONG) {
        text += fragment.text;
        continue;
      }
      to.write(text);
      to.writeBytes(bytesOf(fragment));
      text = "";
    }
    to.write(`${text}}\n`);
  }

  /** 64 bits that are equal for equal contents. */
  keyOf(messages: readonly Message[]): Key {
    let key = this.#keys.get(messages);
    if (key === undefined) {
      key = quickHash(contentOf(messages));
      this.#keys.set(messages, key);
    }
    return key;
  }

  /** SHA-256 of a prompt as a row holds it; the format is asked once for each prompt of a turn. */
  hashOf(pair: UnsplitPair, written: (pair: UnsplitPair) => unknown): string {
    let hash = this.#hashes.get(pair.prompt);
    if (hash === undefined) {
      const value = written(pair);
      hash = sha256(typeof value === "string" ? this.#fragment(value).text : JSON.stringify(value));
      this.#hashes.set(pair.prompt, hash);
    }
    return hash;
  }

  /** What the pairs of a turn have in common, as bytes: from the example's id to the prompt and its tools. */
  #headOf(pair: UnsplitPair): Buffer {
    const head = this.#head;
    if (head !== undefined && sameHead(head.pair, pair)) return head.bytes;
    const tools = pair.tools === undefined ? "" : `,"tools":${JSON.stringify(pair.tools)}`;
    const text =
      `,"example_id":${JSON.stringify(pair.example_id)},"rep":${pair.rep},"run_index":${pair.run_index}` +
      `,"turn_id":${JSON.stringify(pair.turn_id)},"turn_index":${pair.turn_index}` +
      `,"prompt":${JSON.stringify(pair.prompt)}${tools}`;
    const bytes = Buffer.from(text, "utf8");
    this.#head = { pair, bytes };
    return bytes;
  }

  #fragment(value: unknown): Fragment {
    let fragment = this.#fragments.get(value);
    if (fragment === undefined) {
      fragment = { text: JSON.stringify(value), bytes: undefined };
      this.#fragments.set(value, fragment);
    }
    return fragment;
  }
}

/** The line of a pair, as text or as bytes in a text, with another side. */
export function withSide(line: string, split: PreferencePair["split"]): string {
  // The field is the last of its kind in the line, since metadata never shows it in plain letters.
  const start = line.lastIndexOf(SPLIT_FIELD) + SPLIT_FIELD.length;
  return line.slice(0, start) + split + line.slice(line.indexOf('"', start));
}

function sameHead(a: UnsplitPair, b: UnsplitPair): boolean {
  return (
    a.prompt === b.prompt &&
    a.tools === b.tools &&
    a.turn_id === b.turn_id &&
    a.turn_index === b.turn_index &&
    a.example_id === b.example_id &&
    a.rep === b.rep &&
    a.run_index === b.run_index
  );
}

function bytesOf(fragment: Fragment): Buffer {
  fragment.bytes ??= Buffer.from(fragment.text, "utf8");
  return fragment.bytes;
}

function metadataText(metadata: Record<string, unknown>): string {
  let text = "{";
  for (const key in metadata) {
    const value = metadata[key];
    // Mostly there are two seeds, and nothing else.
    if (typeof value !== "number" || !PLAIN_KEY.test(key)) return anyMetadataText(metadata);
    text +=
      text.length > 1
        ? `,"${key}":${Number.isFinite(value) ? value : null}`
        : `"${key}":${Number.isFinite(value) ? value : null}`;
  }
  return `${text}}`;
}

const PLAIN_KEY = /^[a-z_]+$/;

function anyMetadataText(metadata: Record<string, unknown>): string {
  const text = JSON.stringify(metadata);
  // The same JSON, written so that `withSide` cannot take it for the pair's own field.
  return text.includes(SPLIT_FIELD) ? text.replaceAll(SPLIT_FIELD, '"\\u0073plit":"') : text;
}
