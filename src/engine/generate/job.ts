import type { Tokenizer } from "../../tokens/tokenizer.ts";
import { Candidate } from "./candidate.ts";
import type { ChooseToken } from "./choose-token.ts";
import type { CachedTokens } from "./key-value-cache.ts";
import type { LoadedAdapter } from "./loaded-adapter.ts";
import type { CheckedRequest, Completion } from "./request.ts";

/** A piece of a candidate's text as it becomes certain. */
export interface TextPiece {
  index: number;
  text: string;
}

export interface GenerateOptions {
  /** Ends the request's candidates where they are; what they hold is given. */
  signal?: AbortSignal | undefined;
  /** Called with each piece of text. What it throws ends the request and is its error. */
  on_text?: ((piece: TextPiece) => void) | undefined;
}

/** A prompt that was read: its part of the cache, and the logits after it. */
export interface ReadPrompt {
  cached: CachedTokens;
  logits: Float32Array;
}

export interface JobTools {
  choose: ChooseToken;
  tokenizer: Tokenizer | undefined;
  adapter?: LoadedAdapter | undefined;
}

/** A request on its way: candidates that wait, run and are done. */
export class Job {
  readonly request: CheckedRequest;
  readonly result: Promise<Completion[]>;
  /** Kept while candidates wait for room. */
  prompt: ReadPrompt | undefined;
  readonly #options: GenerateOptions;
  readonly #tools: JobTools;
  readonly #candidates: Candidate[] = [];
  readonly #settle: { resolve: (completions: Completion[]) => void; reject: (error: unknown) => void };
  #over = false;

  constructor(request: CheckedRequest, options: GenerateOptions, tools: JobTools) {
    this.request = request;
    this.#options = options;
    this.#tools = tools;
    const { promise, ...settle } = withResolvers<Completion[]>();
    this.result = promise;
    this.#settle = settle;
    if (options.signal?.aborted) this.#abort();
    else options.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** Whether nobody waits for it any more. */
  get over(): boolean {
    return this.#over;
  }

  get adapter(): LoadedAdapter | undefined {
    return this.#tools.adapter;
  }

  /** Candidates that have not begun. */
  get waiting(): number {
    return this.request.n - this.#candidates.length;
  }

  /** The next candidate. */
  begin(): Candidate {
    const { choose, tokenizer } = this.#tools;
    const index = this.request.first_candidate + this.#candidates.length;
    const candidate = new Candidate(this.request, index, choose, tokenizer);
    this.#candidates.push(candidate);
    return candidate;
  }

  /** One token for a candidate. A fault in it, or in who listens, is the request's error and nobody else's. */
  advance(candidate: Candidate, logits: Float32Array): void {
    if (this.#over) return;
    try {
      const text = candidate.take(logits);
      if (text !== "") this.#options.on_text?.({ index: candidate.index, text });
    } catch (error) {
      this.fail(error);
      return;
    }
    if (candidate.finished && this.waiting === 0 && this.#candidates.every(({ finished }) => finished)) this.#end();
  }

  fail(error: unknown): void {
    this.#leave();
    this.#settle.reject(error);
  }

  /** Ends what is not at its end yet. */
  readonly #abort = () => {
    while (this.waiting > 0) this.begin();
    for (const candidate of this.#candidates) if (!candidate.finished) candidate.finish("abort");
    this.#end();
  };

  #end(): void {
    this.#leave();
    this.#settle.resolve(this.#candidates.map((candidate) => candidate.completion()));
  }

  #leave(): void {
    this.#over = true;
    this.prompt = undefined;
    this.#options.signal?.removeEventListener("abort", this.#abort);
  }
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
