import { BytePen, PEN_SLACK } from "../../lib/byte-pen.ts";
import { type Digest, digestInto, sha256 } from "../../lib/hash.ts";
import type { PlainCandidate, PlainTurn } from "./plain-turn.ts";
import { FIXED_BYTES, promptBytes, WORD, wordsOf, writeRowPrompt } from "./plain-words.ts";

/** Hashes what plain turns say, as `contentHash` and `promptHash` do it of messages. */
export class PlainHashes {
  readonly #pen = new BytePen();

  /** Of what the model was asked. */
  question(digest: Digest, turn: PlainTurn, view: DataView): void {
    const pen = this.#open(promptBytes(turn));
    const { roles, starts, ends } = turn;
    for (let message = 0; message < roles.length; message += 1) {
      pen.word(message === 0 ? WORD.list : WORD.comma);
      pen.word(WORD.content);
      pen.copy(view, starts[message] ?? 0, ends[message] ?? 0);
      pen.word(wordsOf(roles[message]).after);
    }
    pen.word(WORD.list_end);
    digestInto(digest, this.#written());
  }

  reply(digest: Digest, { output_start, output_end }: PlainCandidate, view: DataView): void {
    const pen = this.#open(output_end - output_start);
    pen.word(WORD.list);
    pen.word(WORD.content);
    pen.copy(view, output_start, output_end);
    pen.word(wordsOf("assistant").after);
    pen.word(WORD.list_end);
    digestInto(digest, this.#written());
  }

  /** Of the prompt as a row has it: what the split goes by. */
  rowPrompt(turn: PlainTurn, view: DataView, withHistory: boolean): string {
    const pen = this.#open(promptBytes(turn));
    pen.word(WORD.prompt_salt);
    writeRowPrompt(pen, turn, view, withHistory);
    return sha256(this.#written());
  }

  #open(length: number): BytePen {
    const needed = length + FIXED_BYTES + PEN_SLACK;
    const { memory } = this.#pen;
    this.#pen.open(memory.length < needed ? Buffer.allocUnsafeSlow(needed * 2) : memory, 0);
    return this.#pen;
  }

  #written(): Uint8Array {
    return this.#pen.memory.subarray(0, this.#pen.at);
  }
}
