import { promptHash } from "../../datasets/split.ts";
import type { Key } from "../../lib/key-table.ts";
import { quickHash } from "../../lib/quick-hash.ts";
import { Recent } from "../../lib/recent.ts";
import { contentOf, questionOf } from "../../preferences/content.ts";
import type { Message } from "../../records/message.ts";
import type { PreferencePair, UnsplitPair } from "../../records/pair.ts";
import type { ReadPair } from "../../registry/training.ts";

/** What a line of `pairs.jsonl` has before its side. */
const SPLIT_FIELD = '"split":"';
/** So many names of models, sources and fields are kept over turns. */
const NAMES = 1000;

/**
 * Pairs as lines of JSON. The pairs of one turn share their prompt and their replies, as the same objects: each of
 * these is serialised and hashed once, until `nextTurn`. That is where the speed of building pairs comes from.
 *
 * What stands in several lines is kept as one flat text. A text that was put together of many is gone through part by
 * part each time that it is copied.
 */
export class PairTexts {
  readonly #fragments = new Recent<string, string>();
  readonly #messages = new Recent<readonly Message[], { text: string; key: Key | undefined }>();
  readonly #names = new Map<string | null, string>();
  readonly #firstFields = new Map<string, string>();
  readonly #laterFields = new Map<string, string>();
  #head: { pair: UnsplitPair; text: string; key: Key | undefined } | undefined;
  #origin: { pair: UnsplitPair; split: PreferencePair["split"]; text: string } | undefined;
  #promptHash: { prompt: readonly Message[]; hash: string } | undefined;

  /** Forgets what was kept: the next pairs are of another turn. */
  nextTurn(): void {
    this.#fragments.clear();
    this.#messages.clear();
    this.#head = undefined;
    this.#promptHash = undefined;
    for (const names of [this.#names, this.#firstFields, this.#laterFields]) if (names.size > NAMES) names.clear();
  }

  /** The line of a pair. Fields in the order of the schema. */
  pairLine(pair: UnsplitPair, split: PreferencePair["split"]): string {
    // Writing out a fraction takes longer than all else in this line.
    const score_diff = String(pair.score_diff);
    const reward = pair.reward === pair.score_diff ? score_diff : String(pair.reward);
    return (
      `{"pair_id":"${pair.pair_id}${this.#headOf(pair)}` +
      `${this.#textOf(pair.chosen).text},"rejected":${this.#textOf(pair.rejected).text}` +
      `,"chosen_score":${pair.chosen_score},"rejected_score":${pair.rejected_score}` +
      `,"score_diff":${score_diff},"reward":${reward}` +
      `,"chosen_index":${pair.chosen_index},"rejected_index":${pair.rejected_index}` +
      `${this.#originOf(pair, split)}${metadataText(pair.metadata)}}\n`
    );
  }

  /** The line of a data-set row. */
  rowLine(row: Record<string, unknown>): string {
    let text = "";
    for (const key in row) {
      const value = row[key];
      if (value === undefined) continue;
      text += this.#field(key, text === "") + this.#valueText(value);
    }
    return text === "" ? "{}\n" : `${text}}\n`;
  }

  /** 64 bits that are equal for equal contents. */
  keyOf(messages: readonly Message[]): Key {
    const known = this.#textOf(messages);
    known.key ??= quickHash(messages.every(isPlain) ? known.text : contentOf(messages));
    return known.key;
  }

  /** 64 bits that are equal for equal prompts under equal tools. */
  questionKeyOf({ prompt, tools }: UnsplitPair): Key {
    if (tools === undefined) return this.keyOf(prompt);
    const head = this.#head;
    if (head === undefined || head.pair.prompt !== prompt || head.pair.tools !== tools) {
      return quickHash(questionOf(prompt, tools));
    }
    head.key ??= quickHash(questionOf(prompt, tools));
    return head.key;
  }

  /** The split's hash of a prompt as a row holds it; the format is asked once for each prompt of a turn. */
  hashOf(pair: ReadPair, written: (pair: ReadPair) => unknown): string {
    const known = this.#promptHash;
    if (known !== undefined && known.prompt === pair.prompt) return known.hash;
    const value = written(pair);
    const hash = promptHash(this.#valueText(value));
    this.#promptHash = { prompt: pair.prompt, hash };
    return hash;
  }

  /** What the pairs of a turn have in common: from the end of the pair's id to the name of `chosen`. */
  #headOf(pair: UnsplitPair): string {
    const head = this.#head;
    if (head !== undefined && sameHead(head.pair, pair)) return head.text;
    const tools = pair.tools === undefined ? "" : `,"tools":${JSON.stringify(pair.tools)}`;
    const text = [
      // Not kept among the names: a text cut out of a line keeps all of the line in memory.
      `","example_id":${JSON.stringify(pair.example_id)},"rep":${pair.rep},"run_index":${pair.run_index}`,
      `,"turn_id":${JSON.stringify(pair.turn_id)},"turn_index":${pair.turn_index}`,
      `,"prompt":${this.#textOf(pair.prompt).text}${tools},"chosen":`,
    ].join("");
    this.#head = { pair, text, key: undefined };
    return text;
  }

  /** What most pairs of a run have in common: from the model to the name of `metadata`. */
  #originOf(pair: UnsplitPair, split: PreferencePair["split"]): string {
    const origin = this.#origin;
    if (origin !== undefined && origin.split === split && sameOrigin(origin.pair, pair)) return origin.text;
    const text = [
      `,"model":${this.#name(pair.model)},"seed":${pair.seed},${SPLIT_FIELD}${split}"`,
      `,"source":${this.#name(pair.source)},"metadata":`,
    ].join("");
    this.#origin = { pair, split, text };
    return text;
  }

  #textOf(messages: readonly Message[]): { text: string; key: Key | undefined } {
    let known = this.#messages.get(messages);
    if (known === undefined) {
      known = { text: this.#serialise(messages), key: undefined };
      this.#messages.add(messages, known);
    }
    return known;
  }

  #serialise(messages: readonly Message[]): string {
    if (!messages.every(isPlain)) return JSON.stringify(messages);
    const parts = messages.map(
      ({ role, content }) => `{"role":"${role}","content":${this.#fragment(content as string)}}`,
    );
    return ["[", parts.join(), "]"].join("");
  }

  #valueText(value: unknown): string {
    return typeof value === "string" ? this.#fragment(value) : JSON.stringify(value);
  }

  #fragment(value: string): string {
    let fragment = this.#fragments.get(value);
    if (fragment === undefined) {
      fragment = JSON.stringify(value);
      this.#fragments.add(value, fragment);
    }
    return fragment;
  }

  /** A field of a row up to its value. */
  #field(name: string, isFirst: boolean): string {
    const fields = isFirst ? this.#firstFields : this.#laterFields;
    let text = fields.get(name);
    if (text === undefined) {
      text = [isFirst ? "{" : ",", JSON.stringify(name), ":"].join("");
      fields.set(name, text);
    }
    return text;
  }

  #name(name: string | null): string {
    let text = this.#names.get(name);
    if (text === undefined) {
      text = JSON.stringify(name);
      this.#names.set(name, text);
    }
    return text;
  }
}

/** Role and a text, nothing else. */
function isPlain(message: Message): boolean {
  return (
    typeof message.content === "string" &&
    message.name === undefined &&
    message.tool_calls === undefined &&
    message.tool_call_id === undefined &&
    message.reasoning === undefined
  );
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

function sameOrigin(a: UnsplitPair, b: UnsplitPair): boolean {
  return a.model === b.model && a.seed === b.seed && a.source === b.source;
}

function metadataText(metadata: Record<string, unknown>): string {
  let text = "{";
  for (const key in metadata) {
    const value = metadata[key];
    // Mostly there are two seeds, and nothing else.
    if (typeof value !== "number" || !PLAIN_KEY.test(key)) return anyMetadataText(metadata);
    text += `${text.length > 1 ? "," : ""}"${key}":${Number.isFinite(value) ? value : null}`;
  }
  return `${text}}`;
}

const PLAIN_KEY = /^[a-z_]+$/;

function anyMetadataText(metadata: Record<string, unknown>): string {
  const text = JSON.stringify(metadata);
  // The same JSON, written so that `withSide` cannot take it for the pair's own field.
  return text.includes(SPLIT_FIELD) ? text.replaceAll(SPLIT_FIELD, '"\\u0073plit":"') : text;
}
