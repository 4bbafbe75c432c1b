import type { TextPiece } from "../../engine/generate/job.ts";
import type { ModelThread } from "../../engine/generate/model-thread.ts";
import type { TextReply } from "../../engine/generate/served-reply.ts";
import type { TextRequest } from "../../engine/generate/text-service.ts";
import { createGate } from "../../lib/gate.ts";
import { untilAborted } from "../../lib/until-aborted.ts";
import { HttpFault } from "../http/http-fault.ts";
import { LoadedAdapters } from "./loaded-adapters.ts";
import type { ModelSource, ServedModel } from "./model-names.ts";
import type { ServingSettings } from "./serving-settings.ts";

/** How the pool gets at models. */
export interface ModelLoader {
  /** Says what a model will take, then opens it when `makeRoom` has made room for that. */
  open(source: ModelSource, options: OpenOptions): Promise<{ thread: ModelThread; settings: ServingSettings }>;
  addAdapter(thread: ModelThread, name: string, source: ModelSource): Promise<void>;
}

export interface OpenOptions {
  /** Whether it takes adapters, which costs a seventh of its speed. */
  adapters: boolean;
  makeRoom(bytes: number): Promise<void>;
  signal: AbortSignal;
}

export interface ModelPoolOptions {
  loader: ModelLoader;
  /** What all loaded models together may take. */
  memory_bytes: number;
  /** Candidates of one model that run or wait. */
  max_pending: number;
  /** Told of a model whose process ended by itself. */
  onCrash(label: string, error: Error): void;
}

/** What is loaded, and what it does. */
export interface ModelFigures {
  label: string;
  bytes: number;
  /** Candidates that run, and those that wait for them. */
  running: number;
  waiting: number;
}

interface Entry {
  label: string;
  takes_adapters: boolean;
  opened: Promise<Opened>;
  /** Undefined until it is open. */
  model: Opened | undefined;
  /** Requests that hold it. */
  users: number;
  last_used: number;
  /** Settles when it is gone; nobody may begin to use it any more. */
  leaving: Promise<void> | undefined;
}

interface Opened {
  thread: ModelThread;
  settings: ServingSettings;
  adapters: LoadedAdapters;
}

/**
 * Models that are loaded when a request wants them. What they take is bounded: the least recently used one makes room,
 * one that nobody uses first. A model whose process dies fails its requests and is loaded anew for the next one.
 */
export class ModelPool {
  readonly #options: ModelPoolOptions;
  readonly #entries = new Map<string, Entry>();
  /** Candidates of each model that run or wait, those that wait for it to be loaded among them. */
  readonly #pending = new Map<string, number>();
  /** One after another: they need all cores, and what one leaves of the memory is not known before it is there. */
  readonly #loads = createGate(1);
  readonly #closing = new AbortController();
  #turn = 0;
  #onIdle = new Set<() => void>();

  constructor(options: ModelPoolOptions) {
    this.#options = options;
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
    const candidates = requests.reduce((sum, { n = 1 }) => sum + n, 0);
    this.#admit(key, candidates);
    try {
      return await this.#use(model, signal, ({ thread }, adapter) =>
        Promise.all(
          requests.map((request, place) =>
            thread.generate(adapter === undefined ? request : { ...request, adapter }, {
              signal,
              on_text: on_text && ((piece) => on_text(piece, place)),
            }),
          ),
        ),
      );
    } finally {
      const left = (this.#pending.get(key) ?? 0) - candidates;
      if (left > 0) this.#pending.set(key, left);
      else this.#pending.delete(key);
    }
  }

  /** Loads a model, unless it is loaded. Gives the tokens of prompt and reply together that it takes. */
  load(model: ServedModel, signal: AbortSignal): Promise<number> {
    return this.#use(model, signal, async ({ thread }) => thread.context_length);
  }

  /** Lets a model go when the requests that it works on are done. */
  async unload(model: ServedModel): Promise<void> {
    const entry = this.#entries.get(keyOf(model.weights));
    if (entry?.model === undefined) return;
    if (model.adapter) await entry.model.adapters.remove(keyOf(model.adapter));
    else await this.#leave(keyOf(model.weights), entry);
  }

  figures(): ModelFigures[] {
    return [...this.#entries].map(([key, { label, model }]) => {
      const pending = this.#pending.get(key) ?? 0;
      const running = Math.min(pending, model?.settings.max_batch ?? 0);
      return { label, bytes: model?.thread.bytes ?? 0, running, waiting: pending - running };
    });
  }

  /** Requests that are on their way fail. */
  async close(): Promise<void> {
    this.#closing.abort(new HttpFault(503, "the platform is stopping"));
    await Promise.all(
      [...this.#entries.values()].map(({ opened }) =>
        opened.then(
          ({ thread }) => thread.close(),
          () => undefined,
        ),
      ),
    );
  }

  #admit(key: string, n: number): void {
    const pending = this.#pending.get(key) ?? 0;
    if (pending > 0 && pending + n > this.#options.max_pending) {
      throw new HttpFault(429, "too many requests wait for this model; try again", { "retry-after": "1" });
    }
    this.#pending.set(key, pending + n);
  }

  async #use<T>(
    model: ServedModel,
    signal: AbortSignal,
    work: (opened: Opened, adapter?: string) => Promise<T>,
  ): Promise<T> {
    const entry = await this.#entryOf(model, signal);
    entry.users += 1;
    try {
      const opened = entry.model ?? (await untilAborted(entry.opened, signal));
      const { adapter } = model;
      if (adapter === undefined) return await work(opened);
      const { thread, adapters } = opened;
      const add = (name: string) => this.#options.loader.addAdapter(thread, name, adapter);
      return await adapters.use(keyOf(adapter), add, signal, (name) => work(opened, name));
    } finally {
      entry.users -= 1;
      this.#turn += 1;
      entry.last_used = this.#turn;
      if (entry.users === 0) this.#wake();
    }
  }

  /** Where a model is, or is to be: loading begins when nobody has begun it. */
  async #entryOf(model: ServedModel, signal: AbortSignal): Promise<Entry> {
    const key = keyOf(model.weights);
    for (;;) {
      this.#closing.signal.throwIfAborted();
      const entry = this.#entries.get(key);
      if (entry === undefined) return this.#begin(key, model);
      const fits = entry.takes_adapters || model.adapter === undefined;
      if (fits && entry.leaving === undefined) return entry;
      // Opened for its own sake only, it is opened anew for the first of its adapters.
      await untilAborted(this.#leave(key, entry), signal);
    }
  }

  #begin(key: string, model: ServedModel): Entry {
    const { signal } = this.#closing;
    const opened = this.#loads.run(() => this.#open(entry, model.weights), signal);
    const label = model.parent ?? model.id;
    const entry: Entry = {
      label,
      takes_adapters: model.adapter !== undefined,
      opened,
      model: undefined,
      users: 0,
      last_used: this.#turn,
      leaving: undefined,
    };
    this.#entries.set(key, entry);
    const forget = () => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      this.#wake();
    };
    opened
      .then(({ thread }) => thread.gone)
      .then(
        (error) => {
          forget();
          if (error) this.#options.onCrash(label, error);
        },
        // Told to those who wait for it.
        forget,
      );
    return entry;
  }

  async #open(entry: Entry, source: ModelSource): Promise<Opened> {
    const { thread, settings } = await this.#options.loader.open(source, {
      adapters: entry.takes_adapters,
      makeRoom: (bytes) => this.#makeRoom(bytes),
      signal: this.#closing.signal,
    });
    entry.model = { thread, settings, adapters: new LoadedAdapters(thread) };
    return entry.model;
  }

  async #makeRoom(bytes: number): Promise<void> {
    const { memory_bytes } = this.#options;
    for (;;) {
      const loaded = [...this.#entries].flatMap(([key, entry]) =>
        entry.model ? [{ key, entry, ...entry.model }] : [],
      );
      const taken = loaded.reduce((sum, { thread }) => sum + thread.bytes, 0);
      if (taken + bytes <= memory_bytes) return;
      const [first] = loaded.sort(
        ({ entry: one }, { entry: other }) =>
          Number(one.users > 0) - Number(other.users > 0) || one.last_used - other.last_used,
      );
      if (first === undefined) throw tooLarge(bytes, memory_bytes);
      await this.#leave(first.key, first.entry);
    }
  }

  /** Closes a model when nobody uses it any more; who wants it meanwhile waits, and then begins anew. */
  #leave(key: string, entry: Entry): Promise<void> {
    const leave = async () => {
      while (entry.users > 0) await new Promise<void>((resolve) => this.#onIdle.add(resolve));
      // Nothing to close where it could not be opened.
      const opened = await entry.opened.catch(() => undefined);
      await opened?.thread.close();
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    };
    entry.leaving ??= leave();
    return entry.leaving;
  }

  #wake(): void {
    const waiting = this.#onIdle;
    this.#onIdle = new Set();
    for (const resolve of waiting) resolve();
  }
}

function keyOf(source: ModelSource): string {
  return "dir" in source ? source.dir : `hf://${source.repo}@${source.revision}`;
}

function tooLarge(bytes: number, memory_bytes: number): HttpFault {
  const mib = (size: number) => `${Math.ceil(size / 2 ** 20)} MiB`;
  const what = `the model needs ${mib(bytes)} of memory, and all models together may take ${mib(memory_bytes)}`;
  return new HttpFault(503, what, { "x-should-retry": "false" });
}
