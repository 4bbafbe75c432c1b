import type { TextPiece } from "../../engine/generate/job.ts";
import type { TextReply } from "../../engine/generate/served-reply.ts";
import type { TextRequest } from "../../engine/generate/text-service.ts";
import { HttpFault } from "../http/http-fault.ts";
import { keyOf, LoadedModels, type LoadedModelsOptions } from "./loaded-models.ts";
import type { ServedModel } from "./model-names.ts";

export interface ModelPoolOptions extends LoadedModelsOptions {
  /** Candidates of one model that run or wait. */
  max_pending: number;
}

/** What is loaded, and what it does. */
export interface ModelFigures {
  label: string;
  bytes: number;
  /** Candidates that run, and those that wait for them. */
  running: number;
  waiting: number;
}

/** Requests and the models that answer them. What one model has to do is bounded: who comes when it is too much is turned away. */
export class ModelPool {
  readonly #loaded: LoadedModels;
  readonly #max_pending: number;
  /** Candidates of each model that run or wait, those that wait for it to be loaded among them. */
  readonly #pending = new Map<string, number>();

  constructor({ max_pending, ...options }: ModelPoolOptions) {
    this.#loaded = new LoadedModels(options);
    this.#max_pending = max_pending;
  }

  /**
   * A reply to each request; `on_text` is told the request's place in the list. Errors: 429 when too much waits already,
   * those of loading, and those of `ModelThread.generate`.
   */
  async generate(
    model: ServedModel,
    requests: readonly TextRequest[],
    { signal, on_text }: { signal: AbortSignal; on_text?: ((piece: TextPiece, place: number) => void) | undefined },
  ): Promise<TextReply[]> {
    const key = keyOf(model.weights);
    const failed = new AbortController();
    const stop = requests.length === 1 ? signal : AbortSignal.any([signal, failed.signal]);
    const candidates = requests.reduce((sum, { n = 1 }) => sum + n, 0);
    this.#admit(key, candidates);
    try {
      return await this.#loaded.use(model, signal, ({ thread }, adapter) =>
        Promise.all(
          requests.map((request, place) =>
            thread.generate(adapter === undefined ? request : { ...request, adapter }, {
              signal: stop,
              on_text: on_text && ((piece) => on_text(piece, place)),
            }),
          ),
        ),
      );
    } catch (error) {
      // One that cannot be answered is the end of all of them.
      failed.abort();
      throw error;
    } finally {
      const left = (this.#pending.get(key) ?? 0) - candidates;
      if (left > 0) this.#pending.set(key, left);
      else this.#pending.delete(key);
    }
  }

  /** Loads a model, unless it is loaded. Gives the tokens of prompt and reply together that it takes. */
  load(model: ServedModel, signal: AbortSignal): Promise<number> {
    return this.#loaded.use(model, signal, async ({ thread }) => thread.context_length);
  }

  /** Lets a model go when the requests that it works on are done. */
  unload(model: ServedModel): Promise<void> {
    return this.#loaded.unload(model);
  }

  figures(): ModelFigures[] {
    return this.#loaded.list().map(({ key, label, model }) => {
      const pending = this.#pending.get(key) ?? 0;
      const running = Math.min(pending, model?.settings.max_batch ?? 0);
      return { label, bytes: model?.thread.bytes ?? 0, running, waiting: pending - running };
    });
  }

  /** Requests that are on their way fail. */
  close(): Promise<void> {
    return this.#loaded.close();
  }

  #admit(key: string, n: number): void {
    const pending = this.#pending.get(key) ?? 0;
    if (pending > 0 && pending + n > this.#max_pending) {
      throw new HttpFault(429, "too many requests wait for this model; try again", { "retry-after": "1" });
    }
    this.#pending.set(key, pending + n);
  }
}
