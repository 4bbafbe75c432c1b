import { createTokenStream, type TokenStream } from "../../tokens/token-stream.ts";
import type { Tokenizer } from "../../tokens/tokenizer.ts";
import { adjustLogits } from "./adjust-logits.ts";
import type { ChooseToken } from "./choose-token.ts";
import { uniformAt } from "./counter-random.ts";
import { expectation, type TokenLogProbability } from "./log-probabilities.ts";
import type { CheckedRequest, Completion } from "./request.ts";
import { type StopStrings, watchForStops } from "./stop-strings.ts";

/** A reply in the making: what it holds so far, and how it goes on. Knows nothing of the batch that it is in. */
export class Candidate {
  readonly index: number;
  readonly #request: CheckedRequest;
  readonly #choose: ChooseToken;
  readonly #text: TextStream;
  readonly #token_ids: number[] = [];
  readonly #logprobs: TokenLogProbability[] = [];
  /** Kept only where a penalty reads them. */
  readonly #seen: Set<number> | undefined;
  readonly #counts: Map<number, number> | undefined;
  #finish_reason: Completion["finish_reason"] | undefined;

  constructor(request: CheckedRequest, index: number, choose: ChooseToken, tokenizer: Tokenizer | undefined) {
    this.index = index;
    this.#request = request;
    this.#choose = choose;
    this.#text = textStream(tokenizer, request.stop);
    const { repetition_penalty, presence_penalty, frequency_penalty } = request.sampling;
    if (repetition_penalty !== 1) this.#seen = new Set(request.prompt);
    if (presence_penalty !== 0 || frequency_penalty !== 0) this.#counts = new Map();
  }

  get finished(): boolean {
    return this.#finish_reason !== undefined;
  }

  /** Tokens of prompt and reply that the cache holds when the last one is still to be read. */
  get cached(): number {
    return this.#request.prompt.length + this.#token_ids.length - 1;
  }

  get last_token(): number {
    return this.#token_ids.at(-1) ?? 0;
  }

  /** Draws the next token from logits [vocabulary], which are written to, and gives the text that is certain now. */
  take(logits: Float32Array): string {
    const { sampling, logprobs } = this.#request;
    const expected = logprobs === null ? undefined : expectation(logits, logprobs);
    adjustLogits(logits, sampling, { seen: this.#seen ?? NOTHING, counts: this.#counts ?? NO_COUNTS });
    const place = this.#token_ids.length;
    const uniform = sampling.temperature === 0 ? 0 : this.#uniform(place);
    const id = this.#choose(logits, sampling, uniform);
    this.#token_ids.push(id);
    this.#seen?.add(id);
    this.#counts?.set(id, (this.#counts.get(id) ?? 0) + 1);
    if (expected) this.#logprobs.push(expected.of(id));
    return this.#goOn(id);
  }

  #uniform(place: number): number {
    const { seed, seeds, first_candidate } = this.#request;
    const own = seeds?.[this.index - first_candidate];
    return own === undefined ? uniformAt(seed, this.index, place) : uniformAt(own, 0, place);
  }

  #goOn(id: number): string {
    const { stop_token_ids, max_tokens } = this.#request;
    if (stop_token_ids.has(id)) return this.finish("stop");
    const piece = this.#text.push(id);
    if (this.#text.stopped_by !== null) this.#finish_reason = "stop";
    else if (this.#token_ids.length === max_tokens) return piece + this.finish("length");
    return piece;
  }

  /** Ends the reply and gives the text that was held back. */
  finish(reason: Completion["finish_reason"]): string {
    const piece = this.#text.end();
    // What was held back may turn out to hold a stop string.
    this.#finish_reason = reason === "length" && this.#text.stopped_by !== null ? "stop" : reason;
    return piece;
  }

  completion(): Completion {
    return {
      index: this.index,
      text: this.#text.all,
      token_ids: this.#token_ids,
      finish_reason: this.#finish_reason ?? "abort",
      stopped_by: this.#text.stopped_by,
      logprobs: this.#request.logprobs === null ? null : this.#logprobs,
    };
  }
}

const NOTHING: ReadonlySet<number> = new Set();
const NO_COUNTS: ReadonlyMap<number, number> = new Map();

interface TextStream {
  readonly all: string;
  readonly stopped_by: string | null;
  push(id: number): string;
  end(): string;
}

/** Ids to text up to a stop string. Without a tokenizer there is no text. */
function textStream(tokenizer: Tokenizer | undefined, stop: readonly string[]): TextStream {
  const stream: TokenStream = tokenizer ? createTokenStream(tokenizer) : { push: () => "", flush: () => "" };
  const watch: StopStrings = watchForStops(stop);
  let all = "";
  let stopped_by: string | null = null;
  function pass(piece: string): string {
    const passed = piece === "" ? { text: "", stopped_by: null } : watch.push(piece);
    stopped_by = passed.stopped_by;
    all += passed.text;
    return passed.text;
  }
  return {
    get all() {
      return all;
    },
    get stopped_by() {
      return stopped_by;
    },
    push: (id) => pass(stream.push(id)),
    end() {
      const last = pass(stream.flush());
      if (stopped_by !== null) return last;
      const held = watch.flush();
      all += held;
      return last + held;
    },
  };
}
