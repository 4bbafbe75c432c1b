import { PROMPT_SALT } from "../../datasets/split.ts";
import { type BytePen, Word } from "../../lib/byte-pen.ts";
import type { Message } from "../../records/message.ts";
import type { PlainTurn } from "./plain-turn.ts";

/** All that is written of a pair or a row beside texts takes less. */
export const FIXED_BYTES = 1024;
/** What stands around the content of a message takes less. */
const AROUND_BYTES = 64;

const field = (name: string, before = ",") => new Word(`${before}"${name}":`);

/** What stands between the values of a pair's line, of its row, and of what is hashed. */
export const WORD = {
  comma: new Word(","),
  null: new Word("null"),
  list: new Word("["),
  list_end: new Word("]"),
  content: new Word('{"content":'),
  message_end: new Word("}"),
  pair_id: new Word('{"pair_id":"'),
  turn_index: field("turn_index"),
  prompt: field("prompt"),
  chosen: field("chosen"),
  rejected: field("rejected"),
  chosen_score: field("chosen_score"),
  rejected_score: field("rejected_score"),
  score_diff: field("score_diff"),
  reward: field("reward"),
  chosen_index: field("chosen_index"),
  rejected_index: field("rejected_index"),
  model: field("model"),
  chosen_seed: field("chosen_seed", ""),
  rejected_seed: field("rejected_seed", ""),
  chosen_model: field("chosen_model", ""),
  rejected_model: field("rejected_model", ""),
  rejected_truncated: new Word('"rejected_truncated":true'),
  pair_end: new Word("}}\n"),
  row_prompt: field("prompt", "{"),
  row_chosen: field("chosen_response"),
  row_rejected: field("rejected_response"),
  row_end: new Word("}\n"),
  prompt_salt: new Word(PROMPT_SALT),
} as const;

/** What stands before a content in a record, and after it where it is hashed: there the role comes last. */
const ROLES = new Map<Message["role"] | undefined, { before: Word; after: Word }>(
  (["system", "developer", "user", "assistant"] as const).map((role) => [
    role,
    { before: new Word(`{"role":"${role}","content":`), after: new Word(`,"role":"${role}"}`) },
  ]),
);

export function wordsOf(role: Message["role"] | undefined): { before: Word; after: Word } {
  const words = ROLES.get(role);
  if (words === undefined) throw new TypeError(`a plain message has no role ${role}`);
  return words;
}

/** Writes the prompt of a turn, whose texts stand in `view`, as records have it. */
export function writePrompt(pen: BytePen, { roles, starts, ends }: PlainTurn, view: DataView): void {
  for (let message = 0; message < roles.length; message += 1) {
    pen.word(message === 0 ? WORD.list : WORD.comma);
    pen.word(wordsOf(roles[message]).before);
    pen.copy(view, starts[message] ?? 0, ends[message] ?? 0);
    pen.word(WORD.message_end);
  }
  pen.word(WORD.list_end);
}

/** Writes it as a row has it: with all its messages, or the text of the last one. */
export function writeRowPrompt(pen: BytePen, turn: PlainTurn, view: DataView, withHistory: boolean): void {
  const last = turn.roles.length - 1;
  if (withHistory) writePrompt(pen, turn, view);
  else pen.copy(view, turn.starts[last] ?? 0, turn.ends[last] ?? 0);
}

/** No prompt takes more, however it is written. */
export function promptBytes({ roles, starts, ends }: PlainTurn): number {
  let length = 0;
  for (let message = 0; message < roles.length; message += 1) {
    length += (ends[message] ?? 0) - (starts[message] ?? 0) + AROUND_BYTES;
  }
  return length;
}
