import { isUtf8 } from "node:buffer";
import type { ByteSink } from "../../lib/byte-sink.ts";
import { FormReader, STANDS_FOR, type WrittenText } from "../../lib/form-reader.ts";
import type { Wanted } from "../../lib/json-pick.ts";
import type { Message } from "../../records/message.ts";
import type { RolloutRecord } from "../../records/rollout.ts";
import type { RolloutReader } from "../../registry/training.ts";

/** A text as it is written in JSON, just as `JSON.stringify` would write it, without its quotes. */
export interface WrittenIn extends WrittenText {
  bytes: Buffer;
}

/**
 * A rollout that is a user's text and an assistant's, with no tools. In its messages short texts stand for both, which stay
 * where they are written: so they go from file to file unread.
 */
export interface PlainRollout extends RolloutRecord {
  prompt: [Message];
  completion: [Message];
  asked: WrittenIn;
  said: WrittenIn;
}

/** After so many rows of other kinds no more are tried. */
const MAX_MISSES = 64;
/**
 * A text that begins, after white space, with a character that is surely no white space and opens no thought. In UTF-8
 * white space beyond ASCII begins with C2, E1, E2, E3 or EF.
 */
const SAYS_SOMETHING = /^(?: |\\[bfnrt])*(?:[!-;=-[\]-~\xc3-\xe0\xe4-\xee\xf0-\xf4]|\\["\\])/;
/** So many bytes of a text are looked at for that. */
const BEGINNING = 32;

/** Reads rows that are plain rollouts, in a quarter of the time of others. */
export class PlainReader {
  readonly #reader: RolloutReader;
  readonly #forms: FormReader;
  #misses = 0;

  constructor(reader: RolloutReader, wanted: Wanted) {
    this.#reader = reader;
    this.#forms = new FormReader(wanted);
  }

  /** The rollout of a line; `undefined` when the whole row must be looked at. */
  read(line: Buffer): PlainRollout | undefined {
    if (this.#misses > MAX_MISSES) return undefined;
    const row = isUtf8(line) ? this.#forms.read(line) : undefined;
    const rollouts = row === undefined ? [] : this.#reader.rollouts(row);
    const [only] = Array.isArray(rollouts) && rollouts.length === 1 ? rollouts : [];
    const found = only === undefined ? undefined : this.#plain(only, line);
    this.#misses = found === undefined ? this.#misses + 1 : 0;
    return found;
  }

  #plain(rollout: RolloutRecord, line: Buffer): PlainRollout | undefined {
    const { state, tools } = rollout;
    if ((state !== "completed" && state !== "truncated") || tools !== undefined) return undefined;
    const asked = this.#written(rollout.prompt, "user", line);
    const said = asked && this.#written(rollout.completion, "assistant", line);
    if (asked === undefined || said === undefined) return undefined;
    // Assigned, not spread: the reader makes a record for each row.
    return Object.assign(rollout, { asked, said }) as PlainRollout;
  }

  /** The text of messages that are nothing else. */
  #written(messages: readonly Message[], role: Message["role"], bytes: Buffer): WrittenIn | undefined {
    const [only] = messages;
    if (only === undefined || messages.length > 1 || only.role !== role) return undefined;
    const { content, name, tool_calls, tool_call_id } = only;
    if (typeof content !== "string" || (name ?? tool_calls ?? tool_call_id) !== undefined) return undefined;
    const text = this.#forms.written(content);
    if (text === undefined) return undefined;
    const { start, end, escapes } = text;
    if (!SAYS_SOMETHING.test(bytes.toString("latin1", start, Math.min(end, start + BEGINNING)))) return undefined;
    return { bytes, start, end, escapes };
  }
}

/** The length of a text as strings count it: UTF-16, where an escape is one character. */
export function charactersWritten({ bytes, start, end, escapes }: WrittenIn): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let characters = end - start - escapes;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const four = view.getInt32(at);
    if ((four & 0x80808080) !== 0) {
      characters -= surplus(four) + surplus(four >> 8) + surplus(four >> 16) + surplus(four >> 24);
    }
  }
  for (; at < end; at += 1) characters -= surplus(view.getUint8(at));
  return characters;
}

/** By how much a byte adds to a text's bytes more than to its characters: those of a character beyond its first; four are two. */
function surplus(word: number): number {
  const byte = word & 0xff;
  return byte >= 0xf0 ? -1 : byte >= 0x80 && byte < 0xc0 ? 1 : 0;
}

/** Texts that stand for others, and where those are written. */
export type StandingFor = ReadonlyMap<string, WrittenIn>;

/** Writes a row as JSON, with the texts that some of its texts stand for in their places. */
export function writeRow(sink: ByteSink, row: unknown, texts: StandingFor): void {
  let json = "";
  function write(value: unknown): void {
    const written = typeof value === "string" ? texts.get(value) : undefined;
    if (written !== undefined) {
      sink.write(`${json}"`);
      sink.writeBytes(written.bytes.subarray(written.start, written.end));
      json = '"';
    } else if (Array.isArray(value)) {
      writeItems("[", value, (item: unknown) => write(item), "]");
    } else if (typeof value === "object" && value !== null) {
      const members = Object.entries(value).filter(([, member]) => member !== undefined);
      writeItems("{", members, writeMember, "}");
    } else {
      // A format that says it keeps texts, and changes them, would lose them here.
      if (typeof value === "string" && value.includes(STANDS_FOR)) {
        throw new RangeError("a format with keeps_texts changed a text");
      }
      json += JSON.stringify(value);
    }
  }
  function writeMember([name, member]: [string, unknown]): void {
    json += `${JSON.stringify(name)}:`;
    write(member);
  }
  function writeItems<T>(opening: string, items: readonly T[], writeItem: (item: T) => void, closing: string): void {
    json += opening;
    for (const [place, item] of items.entries()) {
      if (place > 0) json += ",";
      writeItem(item);
    }
    json += closing;
  }
  write(row);
  sink.write(json);
}
