import type { ChildProcess } from "node:child_process";
import { EXIT, PairwrightError } from "../../lib/errors.ts";
import { startChild } from "../runtime/start-child.ts";
import { closedError } from "./closed-error.ts";
import { type InTurns, inTurns } from "./in-turns.ts";
import type { GenerateOptions, TextPiece } from "./job.ts";
import { type Answer, type Call, errorOf, type News, type Turn } from "./model-messages.ts";

/** How long a model may take to close before it is killed: the step that runs ends first. */
const CLOSE_MS = 10_000;

/** A call that has no answer yet. */
interface Waiting {
  settle(news: Answer): void;
  fail(error: unknown): void;
  on_text: ((piece: TextPiece) => void) | undefined;
}

/** A model's process, and who waits for what in it. */
export class ModelConnection {
  /** Null when it was closed, an error when it ended by itself. */
  readonly gone: Promise<Error | null>;
  readonly #child = startModel();
  readonly #where: string;
  readonly #calls: InTurns<Call[]>;
  readonly #waiting = new Map<number, Waiting>();
  #last_id = 0;
  #closing = false;
  #over = false;
  #how = "";

  constructor(where: string) {
    this.#where = where;
    this.#calls = inTurns<Call[]>(
      () => [],
      (calls) => {
        // Where it is gone already, its end answers.
        if (this.#child.connected) this.#child.send(calls, () => undefined);
      },
    );
    this.#child.on("message", ({ pieces, news }: Turn) => {
      for (let at = 0; at < pieces.length; at += 3) {
        this.#tell(Number(pieces[at]), { index: Number(pieces[at + 1]), text: String(pieces[at + 2]) });
      }
      for (const one of news) this.#end(one);
    });
    this.gone = endOf(this.#child).then((how) => this.#endAll(how));
  }

  /** Sends a call and gives its answer. Errors: what the process says, `generator_closed`, `model_died`. */
  ask(make: (id: number) => Call, { signal, on_text }: GenerateOptions = {}): Promise<Answer> {
    if (this.#closing || this.#over) return Promise.reject(this.#lost());
    this.#last_id += 1;
    const id = this.#last_id;
    const abort = () => this.#abort(id);
    const answer = new Promise<Answer>((settle, fail) => this.#waiting.set(id, { settle, fail, on_text }));
    this.#calls.now.push(make(id));
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    return answer.finally(() => {
      this.#waiting.delete(id);
      signal?.removeEventListener("abort", abort);
    });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#calls.now.push({ kind: "close" });
      const limit = setTimeout(() => this.kill(), CLOSE_MS);
      void this.gone.then(() => clearTimeout(limit));
    }
    await this.gone;
  }

  #abort(id: number): void {
    this.#calls.now.push({ kind: "abort", id });
  }

  #tell(id: number, piece: TextPiece): void {
    const waiting = this.#waiting.get(id);
    try {
      waiting?.on_text?.(piece);
    } catch (error) {
      // Further pieces may be in the same message.
      this.#waiting.delete(id);
      this.#abort(id);
      waiting?.fail(error);
    }
  }

  #end(news: News): void {
    const waiting = this.#waiting.get(news.id);
    if (news.kind === "fault") waiting?.fail(errorOf(news.fault));
    else waiting?.settle(news);
  }

  #endAll(how: string): Error | null {
    this.#over = true;
    this.#how = how;
    for (const { fail } of this.#waiting.values()) fail(this.#lost());
    return this.#closing ? null : this.#lost();
  }

  #lost(): PairwrightError {
    return this.#closing ? closedError() : diedError(this.#where, this.#how);
  }
}

/** Starts a process that waits for its first call. */
export function startModel(): ChildProcess {
  return startChild("model-child", import.meta.url, { execArgv: ["--expose-gc"], serialization: "advanced" });
}

/** How a process ended, when all that it sent has been read. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let how: string | undefined;
    let silent = false;
    const perhaps = () => how !== undefined && silent && resolve(how);
    child.on("error", (error) => {
      // There may be others, of a message that could not be sent: then its end is still to come.
      if (child.pid === undefined) resolve(`could not be started (${error.message})`);
    });
    child.once("exit", (code, signal) => {
      how =
        signal === null ? `ended with code ${code}` : `was killed by ${signal}${signal === "SIGKILL" ? KILLED : ""}`;
      perhaps();
    });
    child.once("disconnect", () => {
      silent = true;
      perhaps();
    });
  });
}

/** SIGKILL from elsewhere is what a machine out of memory does. */
const KILLED = ", as a machine that runs out of memory does";

function diedError(where: string, how: string): PairwrightError {
  return new PairwrightError({
    code: "model_died",
    where,
    what: `the model's process ${how}`,
    fix: "load it again; give it a smaller max_batch or max_length where memory is short",
    exit_code: EXIT.internal,
  });
}
